"""What can befall the processes of a project, when, and how it is struck: tables for the tests of chaos."""

import random
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import psutil

from tests.story.kills_scene import Scene
from tests.story.roles import kill, letter

KILL, HANG = signal.SIGKILL, signal.SIGSTOP
TRAFFIC = ("deploy", "hold 10", "hold 100", "retire")
WORK = ("fetch", "data", "evaluate")
ANY = (*WORK, *TRAFFIC)
AGAIN_S = 8.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of misfortune. `at`: the steps in which it may come; `again`: what follows is struck as well."""

    name: str
    blows: tuple[tuple[str, signal.Signals], ...]
    at: tuple[str, ...] = TRAFFIC
    again: bool = False

    @property
    def costs_nothing(self) -> bool:
        """Whether no request may fail: neither the router nor a replica that held one is struck."""
        return all(role in ("watch", "host", "face", "work", "locust") for role, _ in self.blows)

    @property
    def face(self) -> bool:
        """Whether the terminal itself is struck."""
        return any(role == "face" for role, _ in self.blows)

    @property
    def nobody(self) -> bool:
        """Whether nobody is left who could find out: the next call does."""
        return {"watch", "face"} <= {role for role, _ in self.blows}

    @property
    def load(self) -> bool:
        """Whether the release needs its load test for this."""
        return any(role == "locust" for role, _ in self.blows)


def _each() -> Iterator[Fault]:
    for how, number in (("killed", KILL), ("hung", HANG)):
        yield Fault(f"watch {how}", (("watch", number),), ANY)
        yield Fault(f"host {how}", (("host", number),), ANY)
        yield Fault(f"Envoy {how}", (("router", number),), ANY)
        yield Fault(f"parent {how}", (("zygote", number),), ANY)
        yield Fault(f"replica {how}", (("replica", number),), ANY)
        yield Fault(f"work child {how}", (("work", number),), WORK)
        yield Fault(f"load child {how}", (("locust", number),), ("load test",))
        yield Fault(f"face {how}", (("face", number),), ANY)
        yield Fault(f"watch and host {how}", (("watch", number), ("host", number)))
        yield Fault(f"watch and face {how}", (("watch", number), ("face", number)))
        yield Fault(f"host and Envoy {how}", (("host", number), ("router", number)))
        yield Fault(f"host and parent {how}", (("host", number), ("zygote", number)))
    yield Fault("watch killed, host hung", (("watch", KILL), ("host", HANG)))
    yield Fault("host killed, Envoy hung", (("host", KILL), ("router", HANG)))
    for role, name in (("watch", "watch"), ("host", "host"), ("router", "Envoy"), ("replica", "replica")):
        yield Fault(f"{name} killed, again while healing", ((role, KILL),), again=True)


FAULTS: tuple[Fault, ...] = tuple(_each())


def strike(scene: Scene, fault: Fault, face: int, draw: random.Random) -> list[psutil.Process]:
    """Do it once; gives who was struck. A role that nobody has now is left out."""
    struck: list[psutil.Process] = []
    roles = scene.roles()
    for role, number in fault.blows:
        victims = _of(roles, role, face)
        if victims:
            victim = draw.choice(victims)
            kill(victim, number)
            struck.append(victim)
    return struck


def strike_again(scene: Scene, fault: Fault, before: Sequence[psutil.Process]) -> list[psutil.Process]:
    """The one that took the place of the first, as soon as it is there; empty when none came in time."""
    role, number = fault.blows[0]
    known = {process.pid for process in before} | {process.pid for process in scene.roles().get(role, [])}
    until_s = time.monotonic() + AGAIN_S
    while time.monotonic() < until_s:
        for process in scene.roles().get(role, []):
            if process.pid not in known:
                kill(process, number)
                return [process]
    return []


def _of(roles: Mapping[str, list[psutil.Process]], role: str, face: int) -> list[psutil.Process]:
    if role == "face":
        return [psutil.Process(face)] if psutil.pid_exists(face) else []
    return list(roles.get(role, []))


def hangs(process: psutil.Process) -> bool:
    """Whether it is still stopped."""
    return process.is_running() and letter(process.pid) == "T"


def wake(struck: Sequence[psutil.Process]) -> None:
    """Let what was stopped and is still there go on."""
    for process in struck:
        if process.is_running():
            kill(process, signal.SIGCONT)
