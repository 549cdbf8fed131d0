"""A server that ends well: at TERM it takes no more requests, answers those that it has, and exits with status 0.

GET / says whether it has its secret, GET /slow takes three seconds, POST /job leaves a process of ten minutes behind.
"""

import os
import signal
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# As a script does that starts something in the background and ends.
JOB = ("sh", "-c", "sleep 600 >/dev/null 2>&1 & echo $!")


class Server(ThreadingHTTPServer):
    daemon_threads = False  # so that server_close() waits for the answers


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/slow":
            time.sleep(3)
        self.answer(f"the token has {len(os.environ.get('TOKEN', ''))} characters")

    def do_POST(self) -> None:
        self.answer(subprocess.run(JOB, check=True, stdout=subprocess.PIPE, text=True).stdout.strip())

    def answer(self, text: str) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{text}\n".encode())

    def log_message(self, *_: object) -> None:
        """Nothing: the probes would fill the log."""


server = Server(("", 8000), Handler)
# In a thread, since shutdown() waits for the loop that the signal has interrupted.
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
print("ready", flush=True)
server.serve_forever()
server.server_close()
print("ended", flush=True)
