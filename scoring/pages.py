"""The pages that are read: who serves, is it well, what does the model take, what was counted."""

import re
from collections.abc import Callable
from time import perf_counter, time
from typing import Any

from scoring import answers, inference_v2, openapi
from scoring.answers import Answer, error
from scoring.metrics import Metrics
from scoring.model import Model
from scoring.settings import Identity, ServingSettings, ServingState

OPEN = frozenset(
    {"/", "/health", "/health/live", "/health/ready", "/ping", "/v2", "/v2/health/live", "/v2/health/ready"}
)
"""Pages that never ask for the key: routers and probes have none."""

_HTML = ("content-type", "text/html; charset=utf-8")
_HOST = re.compile(r"[\w.\-]+(:\d+)?|\[[0-9a-fA-F:.]+\](:\d+)?", re.ASCII)
"""What a sender may call this service: it stands on a page, in a command that people copy."""
_TEXT = ("content-type", "text/plain; version=0.0.4; charset=utf-8")


class Pages:
    """Everything that is asked for with GET."""

    def __init__(self, model: Model, identity: Identity, settings: ServingSettings, metrics: Metrics) -> None:
        self._model = model
        self._identity = identity
        # A router's probe must learn which version answers it, as every caller of a prediction does.
        self._version = ("x-model-version", answers.header_value(identity.version))
        self._service = settings.service
        self._keyed = bool(settings.key)
        self._own = f"{settings.host}:{settings.port}"
        self._metrics = metrics
        self._pages: dict[str, Callable[[ServingState, int], Answer]] = {
            "/": self._root,
            "/health": self._health,
            "/health/live": lambda _state, _in_flight: answers.json(200, {"status": "alive"}),
            "/health/ready": self._ready,
            "/metadata": self._metadata,
            "/metrics": self._counted,
            "/openapi.json": self._openapi,
            "/ping": self._ready,
            "/v2": lambda _state, _in_flight: answers.json(200, {"name": self._service, "version": identity.version}),
            "/v2/health/live": lambda _state, _in_flight: answers.json(200, {"live": True}),
            "/v2/health/ready": self._ready_v2,
        }
        self._named = (*self._pages, "/docs")
        for path in inference_v2.model_paths(identity.model, identity.version):
            self._pages[path] = self._about_v2
            self._pages[f"{path}/ready"] = self._ready_v2

    def answer(self, method: str, path: str, state: ServingState, in_flight: int, host: str | None = None) -> Answer:
        """The page of a path, or why there is none; `host` is what the sender calls this service."""
        page = self._pages.get(path) if path != "/docs" else lambda _state, _in_flight: self._docs(host)
        if page is None:
            return error(404, f"there is no {path}: POST to /predict or /score, or GET {', '.join(self._named)}")
        if method not in {"GET", "HEAD"}:
            return error(405, f"{path} takes GET, not {method}", ("allow", "GET, HEAD"))
        return page(state, in_flight)

    def _root(self, _state: ServingState, _in_flight: int) -> Answer:
        about = {"service": self._service, "model": self._identity.model, "version": self._identity.version}
        return answers.json(200, about)

    def _health(self, state: ServingState, _in_flight: int) -> Answer:
        began = perf_counter()
        identity = self._identity
        document = {
            "status": "healthy" if state is ServingState.READY else state.value,
            "model": {"name": identity.model, "version": identity.version, "run_id": identity.run_id},
            "uptime_s": round(time() - self._metrics.started, 3),
            "took_ms": round((perf_counter() - began) * 1000, 3),
        }
        return answers.json(_status(state), document, self._version)

    def _ready(self, state: ServingState, _in_flight: int) -> Answer:
        return answers.json(_status(state), {"status": state.value}, self._version)

    def _ready_v2(self, state: ServingState, _in_flight: int) -> Answer:
        ready = state is ServingState.READY
        return answers.json(_status(state), {"name": self._identity.model, "ready": ready}, self._version)

    def _about_v2(self, _state: ServingState, _in_flight: int) -> Answer:
        return inference_v2.about(self._model.about, self._identity.model, self._identity.version)

    def _metadata(self, _state: ServingState, _in_flight: int) -> Answer:
        about, identity = self._model.about, self._identity
        fields: list[dict[str, Any]] = []
        for each in about.fields:
            more = {} if each.categories is None else {"categories": each.categories}
            fields.append({"name": each.name, "type": each.type} | more)
        document = {
            "model_name": identity.model,
            "model_version": identity.version,
            "run_id": identity.run_id,
            "mlflow_uri": identity.registry,
            "model_uri": identity.uri,
            "model_digest": about.digest,
            "model_loaded": True,
            "algorithm": about.algorithm,
            "fields": fields,
            "target": about.target,
            "labels": about.labels,
            "example": about.example,
        }
        return answers.json(200, document)

    def _openapi(self, _state: ServingState, _in_flight: int) -> Answer:
        return answers.json(200, openapi.document(self._model.about, self._identity, keyed=self._keyed))

    def _docs(self, host: str | None) -> Answer:
        name = host if host is not None and _HOST.fullmatch(host) else self._own
        return 200, [_HTML], openapi.page(self._model.about, self._identity, name, keyed=self._keyed).encode()

    def _counted(self, state: ServingState, in_flight: int) -> Answer:
        text = self._metrics.render(in_flight, ready=state is ServingState.READY)
        return 200, [_TEXT], text.encode()


def _status(state: ServingState) -> int:
    return 200 if state is ServingState.READY else 503
