"""Whether answers show where traffic goes: new connections are made by the way of everybody's requests."""

import http.client
from collections.abc import Callable, Collection, Hashable, Mapping
from functools import partial
from urllib.parse import unquote, urlsplit

from core.domain.errors import QuarterdeckError, Unreachable
from core.domain.model import Observation, Slot
from core.targets.kubernetes.calls import ApiCalls
from core.targets.kubernetes.labels import ClusterEndpoint
from core.targets.kubernetes.manifests_pod import PORT_NAME
from core.targets.kubernetes.paths import SERVICES
from core.targets.kubernetes.traffic import RoutedTraffic
from core.targets.proving import Asker, ProofLook, prove

MOST, GIVE_UP_S, AGAIN_S = 400, 6.0, 0.5
"""So many answers are asked for at the most, for so long, and again so much later."""
PAGE, HEADER = "health", "x-model-version"


def proof_key(traffic: RoutedTraffic, slots: Mapping[Slot, Observation]) -> Hashable:
    """What a proof holds for. Of shares that are counts, the last change: pods come and go without anybody's doing."""
    weights = {slot: seen.weight for slot, seen in slots.items() if seen.weight > 0}
    shares = tuple(sorted(weights)) if traffic.split else tuple(sorted(weights.items()))
    of = tuple(sorted((slot, seen.version.number) for slot, seen in slots.items() if seen.version and slot in weights))
    return (traffic.change, traffic.split, shares, tuple(sorted(traffic.mirror.items())), of)


def proof_look(ask: Asker, slots: Mapping[Slot, Observation], at_rest: Callable[[Collection[Slot]], bool]) -> ProofLook:
    """Asks until the versions that have a share have answered, nobody else, and slots without one are at rest."""
    served = {f"v{seen.version.number}" for seen in slots.values() if seen.weight > 0 and seen.version is not None}
    idle = {slot for slot, seen in slots.items() if not seen.weight > 0 and not seen.mirror > 0}
    return partial(prove, ask, served, most=MOST, within_s=GIVE_UP_S, at_rest=partial(at_rest, idle))


def through_service(calls: ApiCalls, at: ClusterEndpoint) -> Asker:
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


def through(url: str, host: str | None) -> Asker:
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
    return f"v{unquote(text)}"
