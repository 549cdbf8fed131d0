"""Gives the password over HTTP to whoever has the token, once. Stands for Vault and its like, which use TLS."""

import hmac
import os
from http.server import BaseHTTPRequestHandler, HTTPServer

unspent = {os.environ["TOKEN"]}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        offered = self.headers.get("Authorization", "").removeprefix("Bearer ").encode()
        token = next((token for token in unspent if hmac.compare_digest(token.encode(), offered)), None)
        unspent.discard(token or "")
        self.send_response(200 if token else 403)
        self.end_headers()
        if token:
            with open("/run/secrets/password", "rb") as file:
                self.wfile.write(file.read().rstrip(b"\n"))


with HTTPServer(("", 8200), Handler) as server:
    print("listening", flush=True)
    server.serve_forever()
