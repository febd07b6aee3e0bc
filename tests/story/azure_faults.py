"""What befalls a way back on Azure ML, each as a function of the scene; seconds are those of a service that is slow."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.kubernetes.faults import FaultKind
from tests.story.azure_scene import NAME, AzureScene

TRAFFIC = rf"onlineEndpoints/{NAME}\?"
DEPLOYMENT = rf"onlineEndpoints/{NAME}/deployments/"
OPERATION = "mfeOperationsStatus"


@dataclass(frozen=True, slots=True)
class AzureFault:
    """`strike` comes before the release where it is of the way there (`ahead`), else at `moment`, before the way back.

    `lands`: a call of it does what it says after its caller has left. With `kills` the watch is killed once it has
    begun to go back. `says` is among what the target told.
    """

    name: str
    moment: str = "hold 50"
    strike: Callable[[AzureScene, float], object] = lambda scene, seconds: None
    ahead: bool = False
    lands: bool = False
    kills: bool = False
    says: str = ""


def _hang(method: str, path: str, times: int | None = 1) -> Callable[[AzureScene, float], object]:
    return _fault(FaultKind.HANG, method, path, times)


def _fault(
    kind: FaultKind, method: str, path: str, times: int | None, **more: Any
) -> Callable[[AzureScene, float], object]:
    return lambda scene, seconds: scene.azure.fault(kind, method, path, times=times, **{"seconds": seconds, **more})


def _slow(name: str) -> Callable[[AzureScene, float], object]:
    return lambda scene, seconds: setattr(scene.azure.delays, name, seconds)


FAULTS = (
    AzureFault("nothing"),
    AzureFault("the way back's call hangs", strike=_hang("PUT", TRAFFIC), lands=True),
    AzureFault(
        "the way there's call hangs, taken back meanwhile",
        "smoke",
        _hang("PUT", TRAFFIC),
        ahead=True,
        lands=True,
        says="has landed late",
    ),
    AzureFault(
        "the way there's call hangs, sent again, taken back",
        strike=_hang("PUT", TRAFFIC),
        ahead=True,
        lands=True,
        says="has landed late",
    ),
    AzureFault("the answer to the way back is lost", strike=_fault(FaultKind.LOSE, "PUT", TRAFFIC, 1)),
    AzureFault("the deployment is still being created", "deploy", _slow("deployment_s"), ahead=True),
    AzureFault(
        "the creation's call hangs, taken back meanwhile",
        "deploy",
        _hang("PUT", DEPLOYMENT),
        ahead=True,
        lands=True,
        says="a deployment that nobody had answered for has landed late; it is removed",
    ),
    AzureFault("no poll is answered", strike=_hang("GET", OPERATION, None)),
    AzureFault("polls are 404", strike=_fault(FaultKind.STATUS, "GET", OPERATION, None, status=404)),
    AzureFault("traffic takes long", strike=_slow("traffic_s")),
    AzureFault("new traffic is shown late", strike=_slow("shown_s")),
    AzureFault("429 with Retry-After, 5 times", strike=_fault(FaultKind.BUSY, "", "/subscriptions/", 5, seconds=1.0)),
    AzureFault("watch killed", kills=True),
    AzureFault("watch killed, the way back's call hangs", strike=_hang("PUT", TRAFFIC), lands=True, kills=True),
    AzureFault(
        "watch killed, the way there's call hangs",
        strike=_hang("PUT", TRAFFIC),
        ahead=True,
        lands=True,
        kills=True,
        says="has landed late",
    ),
)
