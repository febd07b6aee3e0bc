"""`python -m tests.azure.inference --port PORT FOLDER/SCRIPT`: a scoring script served as Azure ML's own server does.

`init()` once, then `run(body)` for each `POST /score`; `GET /` says that it lives. A script that fails at its start
ends the process, as a worker that fails to boot does. Of the server's helpers there is `AMLResponse` alone.
"""

import argparse
import importlib.machinery
import importlib.util
import json
import os
import sys
import threading
import time
import types
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PACKAGE = "azureml_inference_server_http"


class AMLResponse:
    """A script's answer with a status of its own."""

    def __init__(self, message: Any, status_code: int, json_str: bool = False) -> None:
        self.status = status_code
        self.content = json.dumps(message).encode() if json_str else str(message).encode()


def lend_helpers() -> None:
    """Give scripts the module that they take AMLResponse from."""
    for name in (PACKAGE, f"{PACKAGE}.api", f"{PACKAGE}.api.aml_response"):
        module = types.ModuleType(name)
        module.__spec__ = importlib.machinery.ModuleSpec(name, None)
        module.__path__ = []
        sys.modules[name] = module
    vars(sys.modules[f"{PACKAGE}.api.aml_response"])["AMLResponse"] = AMLResponse


def script(path: Path) -> types.ModuleType:
    """The scoring script as a module; its folder and that of the code come first on the path."""
    sys.path[:0] = [str(path.parent), os.environ.get("AML_APP_ROOT", str(path.parent))]
    spec = importlib.util.spec_from_file_location("entry_module", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path}: no Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class ScriptServer(ThreadingHTTPServer):
    """One script; `run` is called by one thread at a time."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, run: Callable[[str], Any]) -> None:
        super().__init__(("127.0.0.1", port), ScriptHandler)
        self.run, self.turn = run, threading.Lock()


class ScriptHandler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: ScriptServer

    def do_GET(self) -> None:
        """Alive."""
        self._say(200, b'"Healthy"', 0.0)

    def do_POST(self) -> None:
        """A prediction."""
        body = self.rfile.read(int(self.headers.get("content-length", "0"))).decode()
        began_s = time.perf_counter()
        try:
            with self.server.turn:
                found = self.server.run(body)
        except Exception as error:
            sys.stderr.write(f"Encountered Exception: {error!r}\n")
            self._say(500, str(error).encode(), 0.0, failed=True)
            return
        spent_ms = (time.perf_counter() - began_s) * 1000
        if isinstance(found, AMLResponse):
            self._say(found.status, found.content, spent_ms)
        else:
            self._say(200, json.dumps(found).encode(), spent_ms)

    def _say(self, status: int, body: bytes, spent_ms: float, *, failed: bool = False) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.send_header("x-ms-run-function-failed", str(failed))
        self.send_header("x-ms-run-fn-exec-ms", f"{spent_ms:.3f}")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Into the log of the container, as the real server has it."""
        sys.stdout.write(f"{format % args}\n")


def end_with(parent: int) -> None:
    """End once the process that started this one is gone: a test that was killed stops nothing."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(0)


def main() -> None:
    """Until SIGTERM."""
    threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
    parser = argparse.ArgumentParser()
    parser.add_argument("script", type=Path)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    lend_helpers()
    module = script(options.script)
    module.init()
    sys.stdout.write("Scoring script has loaded\n")
    sys.stdout.flush()
    ScriptServer(options.port, module.run).serve_forever()


if __name__ == "__main__":
    main()
