"""A server that ends well: at TERM it takes no more requests, answers those that it has, and exits with status 0.

GET / says which version it is, where it runs, and whether it has its secret; GET /slow takes three seconds for that.
"""

import os
import signal
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

GREETING = Path("/etc/greeting").read_text().strip()


class Server(ThreadingHTTPServer):
    daemon_threads = False  # so that server_close() waits for the answers
    request_queue_size = 128


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/slow":
            time.sleep(3)
        secret = len(os.environ.get("TOKEN", ""))
        text = (
            f"{GREETING} from version {os.environ['VERSION']} on {socket.gethostname()}, token of {secret} characters\n"
        )
        self.send_response(200)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Nothing: the health checks would fill the log."""


server = Server(("", 8000), Handler)
# In a thread, since shutdown() waits for the loop that the signal has interrupted.
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
print("ready", flush=True)
server.serve_forever()
server.server_close()
print("ended", flush=True)
