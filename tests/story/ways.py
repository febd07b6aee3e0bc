"""The faults through which a rollback goes, each as a way to ask for one: a table for the tests of the way back."""

import contextlib
import json
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from core.state import events as ev
from tests.story.kills_scene import Call, Scene, wait_for
from tests.story.roles import kill
from tui.headless import INTERRUPTED

LOCKED_S = 3.0
HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class Told:
    """What a rollback said, and its exit code; None where it was killed before it could give one."""

    code: int | None
    text: str

    @classmethod
    def by(cls, call: Call) -> "Told":
        """Of a command that is waited for; one that a signal ended gave no code, nor did one that left it going."""
        code = call.ends(60)
        return cls(code if 0 <= code < INTERRUPTED else None, call.text)


Way = Callable[[Scene], Told]


def shell(script: str) -> Way:
    """A line of bash."""

    def ask(scene: Scene) -> Told:
        done = scene.shell(script, 60)
        return Told(done.returncode, done.stdout + done.stderr)

    return ask


def signalled(number: signal.Signals, *also: str) -> Way:
    """The terminal gets a signal once the way back is written down; so do processes of other roles."""
    return struck(ev.TurnedBack, "face", *also, number=number)


def struck(event: type[object], *roles: str, number: signal.Signals = signal.SIGKILL, standby: bool = True) -> Way:
    """Somebody is killed as soon as an event is written down; without `standby` the version before must start first."""

    def ask(scene: Scene) -> Told:
        if not standby:
            for process in scene.standby():
                kill(process)
        after, call = scene.snapshot.seq, scene.call("rollback")
        wait_for(lambda: call.process.poll() is not None or scene.saw(event, after), f"{event}\n{call.text}", 90)
        for role in roles:
            face = [psutil.Process(call.process.pid)] if call.process.poll() is None else []
            for process in face if role == "face" else scene.roles().get(role, []):
                kill(process, number)
        return Told.by(call)

    return ask


def before(*roles: str, number: signal.Signals = signal.SIGKILL) -> Way:
    """Every process of some roles is dead or hangs when the rollback is asked for; those that hang go on at the end."""

    def ask(scene: Scene) -> Told:
        victims = [process for role in roles for process in scene.roles().get(role, [])]
        for process in victims:
            kill(process, number)
        try:
            return Told.by(scene.call("rollback"))
        finally:
            for process in victims:
                kill(process, signal.SIGCONT)

    return ask


def restarted(scene: Scene) -> Told:
    """As after a reboot: no process, other numbers, another boot, sockets left over."""
    for process in scene.processes():
        kill(process)
    assert scene.left() == []
    for path in (scene.folder / ".quarterdeck").rglob("*.json"):
        with contextlib.suppress(ValueError):
            plain = json.loads(path.read_text())
            if isinstance(plain, dict) and "boot" in plain:
                path.write_text(json.dumps({**plain, "boot": "of-another-start"}))
    return Told.by(scene.call("rollback"))


def registry_locked(scene: Scene) -> Told:
    """Somebody writes to the registry all the while."""
    with _written(scene.registry):
        return Told.by(scene.call("rollback"))


def registry_gone(scene: Scene) -> Told:
    """Its file is away, and comes back afterwards."""
    file = scene.registry
    away = file.with_suffix(".away")
    file.rename(away)
    try:
        return Told.by(scene.call("rollback"))
    finally:
        away.replace(file)


@contextlib.contextmanager
def broken_standby(scene: Scene) -> Iterator[None]:
    """What stands by is killed and can be loaded from nowhere; mended again on leaving."""
    state = scene.folder / ".quarterdeck"
    hidden = [state / "models" / "iris-1", *_beside(scene.registry), *state.glob("mlartifacts")]
    for path in hidden:
        path.rename(path.with_name(f"{path.name}.hidden"))
    try:
        standby = scene.standby()
        for process in standby:
            kill(process)
        wait_for(lambda: all(not process.is_running() for process in standby), "the end of what stood by")
        yield
    finally:
        for path in hidden:
            path.with_name(f"{path.name}.hidden").rename(path)


def standby_broken(scene: Scene) -> Told:
    """What stood by is killed and can't be loaded from anywhere."""
    with broken_standby(scene):
        return Told.by(scene.call("rollback"))


def _beside(database: Path) -> list[Path]:
    """A file of SQLite's and its journals."""
    return list(database.parent.glob(f"{database.name}*"))


def journal_locked(scene: Scene) -> Told:
    """Another process writes to the journal for some seconds."""
    with _written(scene.folder / ".quarterdeck" / "journal.db", LOCKED_S):
        return Told.by(scene.call("rollback"))


@contextlib.contextmanager
def _written(database: Path, seconds: float = 0.0) -> Iterator[None]:
    """A write transaction over a file for so long, else until left."""
    over, held = threading.Event(), threading.Event()

    def hold() -> None:
        with contextlib.closing(sqlite3.connect(database, timeout=30)) as connection:
            connection.execute("begin immediate")
            held.set()
            over.wait(seconds or None)
            connection.rollback()

    holding = threading.Thread(target=hold)
    holding.start()
    held.wait(30)
    try:
        yield
    finally:
        over.set()
        holding.join()


def journal_read_only(scene: Scene) -> Told:
    """The state folder may be read only, in this terminal; where this machine can't do that nothing is asked."""
    state = scene.folder / ".quarterdeck"
    script = f'mount --bind {state} {state} && mount -o remount,bind,ro {state} && exec "$@"'
    call = ["unshare", "--mount", "--map-root-user", "sh", "-c", script, "sh"]
    if subprocess.run([*call, "true"], check=False, capture_output=True, timeout=10).returncode:
        return Told(1, f"a folder can't be read-only here, v2 {state}")
    return shell(" ".join(f"'{part}'" for part in call) + " quarterdeck rollback $SETS")(scene)


def clock(hours: int) -> Way:
    """The clock of the terminal, and of whatever it starts, is off; no watch runs with the right one."""

    def ask(scene: Scene) -> Told:
        for process in scene.roles().get("watch", []):
            kill(process)
        folder = scene.folder.parent / f"clock{hours:+}"
        folder.mkdir(exist_ok=True)
        (folder / "sitecustomize.py").write_text(
            "import time\n_time, _time_ns = time.time, time.time_ns\n"
            f"time.time = lambda: _time() + {hours * HOUR_S}\n"
            f"time.time_ns = lambda: _time_ns() + {hours * HOUR_S * 10**9}\n"
        )
        paths = f"{folder}:{scene.environ()['PYTHONPATH']}"
        return Told.by(scene.call("rollback", PYTHONPATH=paths))

    return ask


def twice(scene: Scene) -> Told:
    """Two terminals at once: traffic goes back once."""
    after = scene.snapshot.seq
    calls = [scene.call("rollback") for _ in range(2)]
    told = [Told.by(call) for call in calls]
    assert 0 in [one.code for one in told], told
    assert all(one.code in (0, 3) for one in told), told
    assert scene.saw(ev.TurnedBack, after) == 1
    return min(told, key=lambda one: one.code or 0)


def then_again(way: Way) -> Way:
    """Nobody is left to drive after a fault: whoever asks next takes it over."""

    def ask(scene: Scene) -> Told:
        first = way(scene)
        if scene.snapshot.live_release("iris") is None:
            return first
        return Told.by(scene.call("rollback"))

    return ask


DRIVEN = (ev.TurnedBack, ev.Routed, ev.Verified, ev.Aliased, ev.Ended)
WAYS: Mapping[str, Way] = {
    "stdout is closed": shell("quarterdeck rollback $SETS >&-"),
    "stdout and stderr are closed": shell("quarterdeck rollback $SETS >&- 2>&-"),
    "stdout is full": shell("quarterdeck rollback $SETS >/dev/full"),
    "the reader leaves after a line": shell("quarterdeck rollback $SETS | head -1"),
    "the terminal is hung up": signalled(signal.SIGHUP),
    "the terminal is terminated": signalled(signal.SIGTERM),
    "the terminal is killed": signalled(signal.SIGKILL),
    "terminal and watch are killed": then_again(signalled(signal.SIGKILL, "watch")),
    **{f"the watch is killed at {event.__name__}": struck(event, "watch") for event in DRIVEN},
    "the watch is killed at Applied": struck(ev.Applied, "watch", standby=False),
    "the watch hangs at TurnedBack": struck(ev.TurnedBack, "watch", number=signal.SIGSTOP),
    "what stood by was killed": struck(ev.Ended, standby=False),
    "what stood by can't be loaded": standby_broken,
    "the watch is dead": before("watch"),
    "the watch hangs": before("watch", number=signal.SIGSTOP),
    "the host is dead": before("host"),
    "the host hangs": before("host", number=signal.SIGSTOP),
    "the host and the watch are dead": before("host", "watch"),
    "the whole machine was restarted": restarted,
    "the registry is locked": registry_locked,
    "the registry is gone": registry_gone,
    "the journal is locked": journal_locked,
    "the journal is read-only": journal_read_only,
    "the clock is an hour fast": clock(1),
    "the clock is an hour slow": clock(-1),
    "it is asked twice at once": twice,
}
COSTLY = ("the whole machine was restarted",)
"""Here requests fail: nobody was there."""
