"""What befalls a release to a cluster, each as a function of who is there to be struck."""

import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from core.watch.place import WatchPlace
from tests.story.kills_scene import Scene
from tests.story.stand_in import StandIn

AWAY_S, HANG_S = 5.0, 30.0
TRAFFIC = r"(services|httproutes)/iris"


@dataclass(frozen=True, slots=True)
class ClusterVictims:
    """Who can be struck: the cluster, the project and the command that somebody waits for."""

    cluster: StandIn
    scene: Scene
    command: "subprocess.Popen[str] | None"


@dataclass(frozen=True, slots=True)
class ClusterFault:
    """`of_process`: it strikes once a command runs. `lands_s`: so much later a call that hung still lands."""

    name: str
    strike: Callable[[ClusterVictims], object]
    of_process: bool = False
    kills_command: bool = False
    lands_s: float = 0.0


def _watch(victims: ClusterVictims) -> None:
    who = WatchPlace(victims.scene.folder / "quarterdeck.yaml").who()
    if who is not None and who.alive:
        os.kill(who.pid, signal.SIGKILL)


def _command(victims: ClusterVictims) -> None:
    if victims.command is not None:
        with suppress(ProcessLookupError):
            victims.command.kill()


def _told(word: str, **asked: Any) -> Callable[[ClusterVictims], object]:
    return lambda victims: victims.cluster.tell(word, **asked)


FAULTS = (
    ClusterFault("watch killed", _watch, of_process=True),
    ClusterFault("command killed", _command, of_process=True, kills_command=True),
    ClusterFault("API server killed, away 5 s, history lost", _told("refuse", seconds=AWAY_S)),
    ClusterFault("API server stops, watches live on", _told("refuse", seconds=AWAY_S, forget=False, kill=False)),
    ClusterFault("all connections dropped", _told("break")),
    ClusterFault("410 on every watch", _told("compact")),
    ClusterFault("429 with Retry-After, 15 times", _told("fault", kind="busy", seconds=1, times=15)),
    ClusterFault(
        "the next traffic call hangs 30 s",
        _told("fault", kind="hang", method="PATCH", path=TRAFFIC, seconds=HANG_S, times=1),
        lands_s=HANG_S,
    ),
    ClusterFault(
        "the next two answers to changes lost", _told("fault", kind="lose", method="PATCH", path="iris", times=2)
    ),
    ClusterFault("API server 5 ms away", _told("fault", kind="latency", seconds=0.005)),
)
