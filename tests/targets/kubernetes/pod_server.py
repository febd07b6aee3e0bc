"""A small program in place of the scoring service: `python -m tests.targets.kubernetes.pod_server FOLDER --port …`.

It answers with its version, counts as the service does, and ends on SIGTERM.
"""

import argparse
import json
import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Server(ThreadingHTTPServer):
    """What one pod counts and says."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], version: str) -> None:
        super().__init__(address, Handler)
        self.version = version
        self.answered = 0
        self.lock = threading.Lock()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who asked hung up: nothing that a log is to say."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        """A page, or a prediction."""
        if self.path.startswith("/metrics"):
            self._say(f'scoring_requests_total{{status="200"}} {self.server.answered}\n'.encode())
        elif self.path.startswith("/health"):
            self._say(b'{"status": "ok"}')
        else:
            with self.server.lock:
                self.server.answered += 1
            self._say(json.dumps({"version": self.server.version, "path": self.path}).encode())

    def do_POST(self) -> None:
        """A prediction."""
        self.rfile.read(int(self.headers.get("content-length", "0")))
        self.do_GET()

    def _say(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.send_header("x-model-version", self.server.version)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing."""


def main() -> None:
    """Until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    parser.add_argument("--version", default="0")
    options, _ = parser.parse_known_args()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    sys.stdout.write(f"v{options.version} serves\n")
    sys.stdout.flush()
    Server((options.host, options.port), options.version).serve_forever()


if __name__ == "__main__":
    main()
