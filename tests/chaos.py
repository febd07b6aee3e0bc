"""Random kills and hangs over releases under load: python -m tests.chaos [--rounds N] [--seconds S] [--only TEXT].

Bounded by both; prints a table: fault, rounds, failed requests, seconds, healed by itself. A round is one release of
the version that does not serve, a fault in a random step of it, and after it every second time a rollback. It ends with
1 where a round did not heal, or where requests failed though nothing that serves was struck.
"""

import argparse
import contextlib
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from core.state.events import Outcome
from tests.story.faults import FAULTS, Fault, hangs, strike, strike_again, wake
from tests.story.kills_scene import QUICK, Scene, wait_for
from tests.story.users import Users

SETS = (*QUICK, "release.hold_s=1", "release.retire_after_s=3600", "load.duration_s=3")
END_S = 90.0
HEAL_S = 45.0
SERVING = ("host", "router", "zygote", "replica")
LASTING = (*SERVING, "watch")


@dataclass(slots=True)
class Row:
    """What came of one kind of fault: failures and seconds of each round, and why one did not heal."""

    rounds: int = 0
    failed: list[int] = field(default_factory=list)
    requests: int = 0
    seconds: list[float] = field(default_factory=list)
    outage: list[float] = field(default_factory=list)
    ill: list[str] = field(default_factory=list)


class Chaos:
    """One project, its users and the rows of the table."""

    def __init__(self, scene: Scene, users: Users, draw: random.Random, say: Callable[[str], None]) -> None:
        self.scene = scene
        self.users = users
        self.rows: dict[str, Row] = {}
        self.releases = 0
        self._draw = draw
        self._say = say

    def round(self, fault: Fault) -> None:
        """One release with one fault; what did not heal is written down, and mended for the next round."""
        row = self.rows.setdefault(fault.name, Row())
        row.rounds += 1
        began, struck = time.time(), list[psutil.Process]()
        try:
            self._release(fault, row, struck)
        except AssertionError as error:
            row.ill.append(str(error).strip()[-1500:])
            self._say(f"    NOT HEALED: {row.ill[-1]}")
            wake(struck)
            self._mend()
        finally:
            wake(struck)
        self._say(f"{fault.name}: {time.time() - began:.1f} s")

    def _release(self, fault: Fault, row: Row, struck: list[psutil.Process]) -> None:
        scene, before = self.scene, self._version()
        wanted = "1" if before == "2" else "2"
        seen = len(scene.snapshot.releases)
        skip = () if fault.load else ("--skip", "load")
        # Other rows each time, or what was measured once would not be measured again.
        rows = ("--set", f"data.random_state={self.releases}")
        call = scene.call("release", *skip, *rows, "--model-uri", f"models:/iris/{wanted}")
        self.releases += 1
        moment = self._draw.choice(fault.at)
        wait_for(lambda: len(scene.snapshot.releases) > seen, f"the release to begin\n{call.text}")
        release = scene.release.id
        wait_for(lambda: scene.at == moment or not scene.release.live, f"{moment}\n{call.text}", END_S)
        at = time.time()
        struck += strike(scene, fault, call.process.pid, self._draw)
        if fault.again:
            struck += strike_again(scene, fault, struck)
        if fault.nobody or not scene.snapshot.releases[release].live:
            # Nobody waits any more who could find out: the next call does.
            assert scene.run("status").process.returncode == 0
        # The release ends by itself, whoever drives it now.
        wait_for(
            lambda: not scene.snapshot.releases[release].live, f"the end of {release} at {scene.at}\n{call.text}", END_S
        )
        row.outage.append(self.users.back(at))
        self._healed(struck, at, row)
        ended = scene.snapshot.releases[release]
        right = wanted if ended.outcome is Outcome.DONE else before
        assert self._version() == right, f"{ended.outcome} {ended.why}: {self._version()} answers, not {right}"
        # A load test that was killed did not pass; nothing else is a reason for a release to fail.
        assert fault.load or ended.outcome is Outcome.DONE, f"at {moment}: {ended.outcome} {ended.why}\n{call.text}"
        if not fault.face:
            assert (call.ends(20) == 0) is (ended.outcome is Outcome.DONE), call.text
        wake(struck)
        self._verbs(before if right == wanted else "")
        row.failed.append(len(self.users.failed(at)))
        row.requests += sum(answer.at >= at for answer in list(self.users.answers))
        self.users.forget()

    def _healed(self, struck: Sequence[psutil.Process], at: float, row: Row) -> None:
        """Wait until nobody hangs and everybody is there who should be."""

        def whole() -> bool:
            roles = self.scene.roles()
            lasting = [process for role in LASTING for process in roles.get(role, [])]
            there = all(roles.get(role) for role in LASTING if role != "watch" or watches(self.scene))
            return there and not any(hangs(process) for process in lasting) and len(roles["router"]) == 1

        wait_for(whole, f"all to be there again and none to hang: {_words(self.scene)}", HEAL_S, 0.25)
        row.seconds.append(time.time() - at)

    def _version(self) -> str:
        """What users are answered by now."""
        self.users.back(time.time(), 30)
        versions = {answer.version for answer in self.users.answers[-30:]}
        assert len(versions) == 1, f"two versions answer: {versions}"
        return versions.pop()

    def _verbs(self, before: str) -> None:
        """Every verb works: status always, a rollback every second time where there is a way back."""
        status = self.scene.run("status")
        assert status.process.returncode == 0, f"status: {status.text}"
        if before and self._draw.random() < 0.5:
            back = self.scene.run("rollback")
            assert back.process.returncode == 0, f"rollback: {back.text}"
            assert self._version() == before, f"after the rollback: {back.text}"

    def _mend(self) -> None:
        """What an operator would do, so that the next round begins well."""
        self.scene.end_calls()
        for verb in (("abort",), ("rollback",)):
            if self.scene.snapshot.live_release("iris") is not None:
                with contextlib.suppress(AssertionError):
                    self.scene.run(*verb)
        with contextlib.suppress(AssertionError):
            self.users.back(time.time(), 30, 30)
        self.users.forget()


def watches(scene: Scene) -> bool:
    """Whether this project has a process that steers."""
    return (scene.folder / ".quarterdeck" / "watch.json").exists() or bool(scene.roles().get("watch"))


def _words(scene: Scene) -> str:
    return ", ".join(
        f"{role} {[(p.pid, 'hangs' if hangs(p) else 'runs') for p in some]}" for role, some in scene.roles().items()
    )


@contextlib.contextmanager
def project(folder: Path) -> Iterator[Scene]:
    """Two versions, the second one serving."""
    with Scene(folder, SETS) as scene:
        for _ in range(2):
            first = scene.run("release", "--skip", "load", "--set", "release.strategy=all-at-once", deadline_s=120)
            assert first.process.returncode == 0, first.text
        yield scene


def run(rounds: int, seconds: float, faults: Sequence[Fault], seed: int, say: Callable[[str], None]) -> Chaos:
    """So many rounds within so many seconds, then down; raises AssertionError where something is left behind."""
    draw, until_s = random.Random(seed), time.monotonic() + seconds
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    try:
        with project(folder / "iris") as scene, Users(scene.port, users=6) as users:
            chaos, order = Chaos(scene, users, draw, say), list[Fault]()
            for number in range(rounds):
                if time.monotonic() > until_s:
                    break
                order = order or draw.sample(list(faults), len(faults))
                chaos.round(order.pop())
                if number % 10 == 9:
                    say(f"    journal whole: {scene.whole()} events")
            say(f"    journal whole: {scene.whole()} events")
            down = scene.run("down")
            assert down.process.returncode == 0, down.text
            assert scene.left() == []
        return chaos
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def table(chaos: Chaos) -> list[str]:
    """The rows as lines."""
    lines = [
        f"{'fault':<36} {'rounds':>6} {'requests':>9} {'failed':>7} {'outage s':>9} {'whole after s':>14} {'healed':>8}"
    ]
    for name, row in sorted(chaos.rows.items()):
        lines.append(
            f"{name:<36} {row.rounds:>6} {row.requests:>9,} {sum(row.failed):>7} {max(row.outage, default=0):>9.2f} "
            f"{max(row.seconds, default=0):>14.1f} {row.rounds - len(row.ill):>4}/{row.rounds}"
        )
    return [*lines, f"{chaos.releases} releases"]


def main() -> int:
    """By hand."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=len(FAULTS))
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--only", default="", help="Faults whose names hold this.")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    given = parser.parse_args()
    faults = [fault for fault in FAULTS if given.only in fault.name]
    print(f"seed {given.seed}", flush=True)
    chaos = run(given.rounds, given.seconds, faults, given.seed, lambda line: print(line, flush=True))
    print("\n".join(table(chaos)))
    free = {fault.name for fault in faults if fault.costs_nothing}
    return 1 if any(row.ill or (name in free and sum(row.failed)) for name, row in chaos.rows.items()) else 0


if __name__ == "__main__":
    sys.exit(main())
