"""Requests to an endpoint's own address, with its key or a token, and what an answer says of who gave it."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx

from core.domain.errors import Unreachable
from core.domain.model import Slot
from core.targets.azureml.calls import CONNECT_S, AzureCalls
from core.targets.azureml.failures import scoring_refusal, unreached
from core.targets.azureml.https_client import HttpsClient
from core.targets.azureml.view import AzureView
from core.targets.azureml.workspace import ENDPOINT_API, AzureEndpoint

DEPLOYMENT = "azureml-model-deployment"
"""A header: of a request, which deployment is to answer whatever its share is; of an answer, which one has."""
KEPT_S = 600.0
"""A key is read anew after so long: somebody may have made another."""


@dataclass(frozen=True, slots=True)
class ScoringAnswer:
    """What came back. `slot` is empty where nobody said who it was."""

    status: int
    slot: Slot
    body: bytes
    headers: Mapping[str, str]
    ms: float


class ScoringCalls:
    """One endpoint's callers' side, for threads. Raises Unreachable where nobody answers."""

    def __init__(self, at: AzureEndpoint, calls: AzureCalls, view: Callable[[], AzureView | None]) -> None:
        self._at = at
        self._calls = calls
        self._view = view
        self._lock = threading.Lock()
        self._client = HttpsClient(at.ca)
        self._key = ""
        self._read_at = 0.0

    @property
    def url(self) -> str:
        """The scoring address; raises Unreachable while there is none."""
        view = self._view()
        if view is None or not view.scoring_uri:
            raise Unreachable(f"{self._at.called}: the endpoint has no address yet")
        return view.scoring_uri

    def bearer(self, *, anew: bool = False) -> str:
        """The endpoint's key, or a token of the login where it takes those; in memory only."""
        if self._at.place.auth == "aad":
            if anew:
                self._calls.login.forget()
            return self._calls.login.token(f"{self._at.place.cloud.scoring_scope.rstrip('/')}/.default")
        with self._lock:
            if anew or not self._key or time.monotonic() - self._read_at > KEPT_S:
                body = self._calls.ask("POST", f"{self._at.path}/listKeys", ENDPOINT_API).body
                self._key, self._read_at = str(body.get("primaryKey") or ""), time.monotonic()
            return self._key

    def ask(self, body: bytes, slot: Slot = "", headers: Mapping[str, str] | None = None) -> ScoringAnswer:
        """One request; with a slot it is that one which answers. A key that was changed is read once more."""
        answer = self._asked(body, slot, headers or {}, anew=False)
        return self._asked(body, slot, headers or {}, anew=True) if answer.status in (401, 403) else answer

    def who(self, body: bytes) -> Slot:
        """Which slot answers a request of everybody's; raises Unreachable where that is not to be known."""
        answer = self.ask(body)
        if not answer.slot:
            raise Unreachable(scoring_refusal(answer.status, answer.headers, answer.body.decode(errors="replace")))
        return answer.slot

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def _asked(self, body: bytes, slot: Slot, headers: Mapping[str, str], *, anew: bool) -> ScoringAnswer:
        sent = {
            "content-type": "application/json",
            **headers,
            "authorization": f"Bearer {self.bearer(anew=anew)}",
            **({DEPLOYMENT: slot} if slot else {}),
        }
        timeout = httpx.Timeout(self._at.place.request_timeout_s + CONNECT_S, connect=CONNECT_S)
        begun_s = time.monotonic()
        try:
            answer = self._client.request("POST", self.url, content=body, headers=sent, timeout=timeout)
        except (httpx.HTTPError, RuntimeError) as error:
            raise Unreachable(f"{self._at.called}: its address does not answer{unreached(error)}") from None
        found = {name.lower(): value for name, value in answer.headers.items()}
        ms = 1000 * (time.monotonic() - begun_s)
        return ScoringAnswer(answer.status_code, found.get(DEPLOYMENT, ""), answer.content, found, ms)
