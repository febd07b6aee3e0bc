"""An API server that has what it is told: lists and watches over real HTTP, and nobody behind it who acts.

`tests.kubernetes` is the one to release to. This one is for what a cluster looks like: a recording is played on it, or
a thousand pods that change as quickly as one likes.
"""

import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import parse_qs, urlsplit

import yaml

Json: TypeAlias = dict[str, Any]
TICK_S = 0.5
MISSING = {"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404}
PAGE = 'scoring_start_time_seconds 1\nscoring_requests_total{{status="200"}} {}\n'


class ToldCluster:
    """Objects by plural and name, every change of them, and who waits for the next one.

    `answers` is the version that the endpoint's Service answers with, `rate` how many answers a pod gives a second,
    `usage` what the metrics API says; None: there is none.
    """

    def __init__(self, namespace: str = "flights") -> None:
        self.namespace = namespace
        self.objects: dict[str, dict[str, Json]] = {}
        self.answers = ""
        self.rate = 0.0
        self.usage: list[Json] | None = None
        self.serves = True
        self.clock: Callable[[], float] = time.monotonic
        self._log: list[tuple[int, str, bytes]] = []
        self._version = 100
        self._news = threading.Condition()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.cluster = self

    def start(self) -> None:
        """Listen."""
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="told cluster", daemon=True).start()

    def close(self) -> None:
        """End, with every watch."""
        self.serves = False
        self._server.shutdown()
        self._server.let_go()
        self._server.server_close()

    def kubeconfig(self, folder: Path) -> Path:
        """Write one that leads here, and say where it is."""
        address = f"http://127.0.0.1:{self._server.server_address[1]}"
        body = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "stand-in",
            "clusters": [{"name": "told", "cluster": {"server": address}}],
            "contexts": [{"name": "stand-in", "context": {"cluster": "told", "user": "told"}}],
            "users": [{"name": "told", "user": {"token": "told"}}],
        }
        path = folder / "kubeconfig"
        path.write_text(yaml.safe_dump(body), encoding="utf-8")
        return path

    def put(self, plural: str, body: Json) -> None:
        """An object is new or other than before."""
        with self._news:
            held = self.objects.setdefault(plural, {})
            known = body["metadata"]["name"] in held
            held[body["metadata"]["name"]] = body
            self._tell(plural, "MODIFIED" if known else "ADDED", body)

    def remove(self, plural: str, name: str) -> None:
        """An object is gone."""
        with self._news:
            self._tell(plural, "DELETED", self.objects[plural].pop(name))

    def _tell(self, plural: str, said: str, body: Json) -> None:
        self._version += 1
        body["metadata"]["resourceVersion"] = str(self._version)
        self._log.append((self._version, plural, json.dumps({"type": said, "object": body}).encode() + b"\n"))
        self._news.notify_all()

    # For the handlers, each in its thread

    def listed(self, plural: str) -> Json:
        """All of a kind, and the version that a watch goes on from."""
        with self._news:
            items = list(self.objects.get(plural, {}).values())
            return {"metadata": {"resourceVersion": str(self._version)}, "items": items}

    def after(self, version: int, plural: str) -> tuple[int, list[bytes]]:
        """What came after a version, waited for a moment where nothing did, and the version that this reaches to."""
        with self._news:
            if not self._log or self._log[-1][0] <= version:
                self._news.wait(TICK_S)
            # Versions have no gaps, so the place of one in the log is known.
            first = len(self._log) - (self._version - version)
            found = [line for _, of, line in self._log[max(0, first) :] if of == plural]
            return self._version, found

    def answer(self, path: str) -> tuple[int, Mapping[str, str], bytes]:
        """What a pod or a Service answers through the server, or what the metrics API does."""
        if path.startswith("/version"):
            return 200, {}, b'{"gitVersion": "v1.36.2"}'
        if path.startswith("/apis/metrics.k8s.io/"):
            if self.usage is None:
                return 404, {}, b"404 page not found"
            return 200, {}, json.dumps({"items": self.usage}).encode()
        if path.endswith("/proxy/metrics"):
            return 200, {}, PAGE.format(int(self.rate * self.clock())).encode()
        if path.endswith("/proxy/health") and self.answers:
            return 200, {"x-model-version": self.answers}, b"{}"
        return 404, {}, json.dumps(MISSING).encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    cluster: ToldCluster

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self._open: set[socket.socket] = set()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Know each connection for as long as it is open."""
        self._open.add(request)
        super().process_request_thread(request, client_address)
        self._open.discard(request)

    def let_go(self) -> None:
        """End every connection."""
        for one in list(self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who went away was not interested."""


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        """A list, a watch, or something else that is only looked at."""
        parts, cluster = urlsplit(self.path), self.server.cluster
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        head, _, plural = parts.path.rpartition("/")
        if head.endswith(f"/namespaces/{cluster.namespace}") and not head.startswith("/apis/metrics"):
            if query.get("watch"):
                return self._watch(plural, int(query["resourceVersion"]))
            return self._say(200, {}, json.dumps(cluster.listed(plural)).encode())
        return self._say(*cluster.answer(parts.path))

    def _say(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {"content-type": "application/json", "content-length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _watch(self, plural: str, version: int) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        while True:
            version, lines = self.server.cluster.after(version, plural)
            for line in lines:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            if not self.server.cluster.serves:
                return

    def log_message(self, *_: object) -> None:
        """Nothing is written about requests."""
