"""That the place of an endpoint does not answer while traffic is to go back or forward, said once to whoever waits."""

import asyncio
import time
from collections.abc import Callable, Mapping

from core.domain.hints import typed
from core.engine import shell_variables
from core.engine.engine import Engine
from core.engine.project import Project
from core.state.endpoint import Endpoint
from core.state.release import Release, ReleaseState
from tui.evidence import no_contact_s
from tui.format import about

LOOK_S = 1.0
MOST_NAMES = 5


def silence(endpoint: Endpoint, now: float, asked_at: float = 0.0) -> str:
    """Which place is silent, for how long and why; empty while it is heard, and of one that never says so.

    Before `asked_at` nobody listened to it: only one that is known to be lost was silent then.
    """
    contact = endpoint.contact
    if contact is None:
        return ""
    since = contact.at if contact.lost else max(contact.at, asked_at)
    if not (contact.lost or now - since > no_contact_s(contact)):
        return ""
    because = contact.lost.partition("; ")[0]
    return f"{endpoint.target} has not answered for {about(now - since)}{f' ({because})' if because else ''}"


def in_silence(release: Release, endpoint: Endpoint, now: float) -> str:
    """The same with what comes of the way back or forward once the place answers, and if it does not; empty else."""
    way = release.way
    # Traffic that never moved is given up whether the place answers or not.
    if way is None or not release.touched or release.state not in (ReleaseState.BACK, ReleaseState.FORWARD):
        return ""
    if not (silent := silence(endpoint, now, way.driven_at)):
        return ""
    back = release.state is ReleaseState.BACK
    until = time.strftime("%H:%M:%S", time.localtime(way.driven_at + release.plan.patience.back_s))
    moves = "what was asked for is proved" if way.routed else "traffic stays where it is, and moves"
    gives_up = f"it is stuck, and {typed('rollback', release.environment)} asks anew" if back else "the rollback stands"
    return f"{silent}; {moves} as soon as it answers; if that is not before {until}, {gives_up}"


def other_variables(project: Project, release: Release) -> str:
    """Which variables of this shell its way goes without, for it has others; empty where none."""
    began = project.began(release.options)
    other = shell_variables.differing(began, release.options.get(shell_variables.NAME, "")) if began is not None else ()
    if not other:
        return ""
    more = f" and {len(other) - MOST_NAMES} more" if len(other) > MOST_NAMES else ""
    names = f"{', '.join(other[:MOST_NAMES])}{more}"
    return f"{release.endpoint}: this goes with what {release.id} was begun with, and this shell has another: {names}"


async def say_silence(
    engine: Engine,
    names: Mapping[str, str],
    write: Callable[[str], None],
    compared: Callable[[Release], str] = lambda _: "",
) -> None:
    """Say it of releases by their endpoints, each time that a place falls silent, until cancelled; and once what
    `compared` says of one that its place did not take."""
    said: set[str] = set()
    told: set[str] = set()
    while True:
        for name, id_ in names.items():
            release = engine.snapshot.releases.get(id_)
            line = "" if release is None else in_silence(release, engine.snapshot.endpoint(name), engine.now())
            if line and name not in said:
                write(f"{name}: {line}")
            said = said | {name} if line else said - {name}
            if release is not None and release.way is not None and release.way.refusal and name not in told:
                told.add(name)
                if other := compared(release):
                    write(other)
        await asyncio.sleep(LOOK_S)
