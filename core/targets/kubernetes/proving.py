"""Whether answers show that traffic goes where it should: new connections are made, and who answers them is counted."""

import http.client
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TypeAlias
from urllib.parse import unquote, urlsplit

from core.domain.errors import QuarterdeckError, Unreachable
from core.domain.model import Slot
from core.targets.kubernetes.calls import ApiCalls
from core.targets.kubernetes.labels import ClusterEndpoint
from core.targets.kubernetes.manifests_pod import PORT_NAME
from core.targets.kubernetes.paths import SERVICES

ENOUGH, MOST = 20, 400
"""So many answers in a row prove that a slot gets nothing; so many are asked for at the most."""
GIVE_UP_S, PAUSE_S = 6.0, 0.02
PAGE, HEADER = "health", "x-model-version"

Answerer: TypeAlias = Callable[[], str]
"""Asks once, on a connection of its own, and says which version answered; raises Unreachable where nobody did."""


def prove(
    ask: Answerer,
    weights: Mapping[Slot, float],
    versions: Mapping[Slot, str],
    still: Callable[[], bool] = lambda: True,
    at_rest: Callable[[], bool] = lambda: True,
) -> int:
    """How many answers in a row came from the slots that have a share, each of them among these.

    `at_rest` looks at the slots without a share, which must answer nothing any more: callers who keep their connections
    get answers there for as long as they do. Raises Unreachable with what speaks against it where that was not so
    within some seconds, or nobody wants to know it any more.
    """
    served = {versions[slot] for slot, weight in weights.items() if weight > 0 and slot in versions}
    good: Counter[str] = Counter()
    until_s, why = time.monotonic() + GIVE_UP_S, "nobody answers"
    for _ in range(MOST):
        if time.monotonic() > until_s or not still():
            break
        try:
            version = ask()
        except Unreachable as error:
            why = str(error)
            time.sleep(PAUSE_S)
            continue
        if version not in served:
            why = f"v{version} still answers" if version in versions.values() else f"v{version} answers"
            good.clear()
            time.sleep(PAUSE_S)
            continue
        good[version] += 1
        if good.total() >= ENOUGH and set(good) == served:
            if at_rest():
                return good.total()
            why = "callers still get answers from where they should not, on connections that they keep"
            good.clear()
    missing = ", ".join(f"v{version}" for version in sorted(served - set(good)))
    raise Unreachable(f"no answer proves it: {f'none came from {missing}' if good and missing else why}")


def through_service(calls: ApiCalls, at: ClusterEndpoint) -> Answerer:
    """By the API server's way to the endpoint's Service, which takes one of its endpoints by chance."""
    path = SERVICES.path(at.place.namespace, f"{at.name}:{PORT_NAME}", f"proxy/{PAGE}")

    def ask() -> str:
        try:
            _, headers = calls.text(path, timeout_s=2.0)
        except Unreachable:
            raise
        except QuarterdeckError as error:
            raise Unreachable(str(error)) from error
        return _version(headers.get(HEADER))

    return ask


def through(url: str, host: str | None) -> Answerer:
    """By a gateway's address, each time on a connection of its own."""
    parts = urlsplit(url)

    def ask() -> str:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=2.0)
        try:
            connection.request("GET", f"/{PAGE}", headers={"connection": "close", **({"host": host} if host else {})})
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"{url} does not answer ({type(error).__name__})") from error
        finally:
            connection.close()
        if answer.status >= 400:
            raise Unreachable(f"{url} answers {answer.status}")
        return _version(answer.headers.get(HEADER))

    return ask


def _version(text: str | None) -> str:
    if text is None:
        raise Unreachable("what answers does not say which version it is")
    return unquote(text)
