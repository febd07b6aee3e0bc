"""The watch killed with -9 at every event of a release: python -m tests.every_event [--by canary] [--stride 6].

A release that nothing befalls says which events there are. Then each of them is the moment at which the watch is killed
once, some of them in one release: so many events apart that another watch steers again. Users ask all along. Every
release must end well with the right version, no request failed, and the journal whole.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from core.state import events as ev
from core.state.events import Event
from core.watch.place import WatchPlace
from tests.story.kills_scene import QUICK, Scene, wait_for
from tests.story.terminal import Terminal
from tests.story.users import Users, served

PLANS = {
    "canary": ("release.strategy=canary", "release.hold_s=1"),
    "blue-green that asks": ("release.strategy=blue-green", "release.hold_s=1", "approve=person"),
}
END_S, LOOK_S = 120.0, 0.005
Boundary = tuple[str, int, int]
"""An event by its kind, its step (-1: of none) and how many such there were before it in the release."""


@dataclass(frozen=True, slots=True)
class Round:
    """What came of one release: the events at which a watch was killed, what failed, what was not as it should be."""

    killed: tuple[Boundary, ...]
    requests: int
    failed: int
    seconds: float
    wrong: str


def boundaries(events: Sequence[Event], seen: Counter[tuple[str, int]]) -> Iterator[tuple[Event, Boundary]]:
    """The events of a release that are more than figures, each by its name; `seen` are those before them."""
    for event in events:
        kind = type(event.body).__name__
        if kind not in ev.TELEMETRY:
            name = (kind, getattr(event.body, "index", -1))
            yield event, (*name, seen[name])
            seen[name] += 1


class Killer:
    """One project whose two versions are released in turn."""

    def __init__(self, scene: Scene, users: Users, plan: str) -> None:
        self.scene = scene
        self.users = users
        self.asks = "asks" in plan
        self.rounds = 0
        self.sets = (*QUICK, "release.retire_after_s=3600", *PLANS[plan])

    def round(self, at: Collection[Boundary]) -> Round:
        """One release, whose watch is killed as soon as one of these events is read."""
        (before,) = served(self.scene.port)
        wanted = "1" if before == "2" else "2"
        self.users.forget()
        # Other rows each time: a version that was measured on the same ones is not evaluated again.
        self.rounds += 1
        self.scene.sets = (*self.sets, f"data.random_state={self.rounds}")
        began, killed, wrong = time.time(), list[Boundary](), ""
        try:
            with self._released(wanted) as seq:
                self._follow(seq, set(at), killed)
            self.users.back(time.time(), 40)
            self._check(wanted)
        except AssertionError as error:
            wrong = str(error).strip()[-400:]
            self.scene.run("rollback")
        answers = list(self.users.answers)
        failed = [one for one in answers if one.why]
        return Round(tuple(killed), len(answers), len(failed), time.time() - began, wrong)

    @contextmanager
    def _released(self, version: str) -> Iterator[int]:
        """A release that somebody waits for in a terminal; the place in the journal before it."""
        seq, call = self.scene.snapshot.seq, ("release", "--skip", "load", "--model-uri", f"models:/iris/{version}")
        with Terminal(self.scene, *call, cells=200) as terminal:
            yield seq
            code = terminal.process.wait(END_S)
            assert code == 0, f"it ended with {code}: {terminal.text[-300:]}"

    def _follow(self, seq: int, at: set[Boundary], killed: list[Boundary]) -> None:
        """Kill where it is to be killed, and say yes where a person is asked."""
        seen: Counter[tuple[str, int]] = Counter()
        until_s = time.monotonic() + END_S
        while time.monotonic() < until_s:
            events = self.scene.events(seq)
            seq = events[-1].seq if events else seq
            for event, boundary in boundaries(events, seen):
                if boundary in at and self._kill():
                    killed.append(boundary)
                    at.discard(boundary)
                if isinstance(event.body, ev.Asked) and self.asks:
                    self.scene.call("approve", "--env", "prod", sets=())
                if isinstance(event.body, ev.Reported):
                    return
            time.sleep(LOOK_S)
        raise AssertionError(f"no end within {END_S:g} s; it is at {self.scene.at!r}")

    def _kill(self) -> bool:
        """Whether a watch was there to be killed."""
        who = WatchPlace(self.scene.folder / "quarterdeck.yaml").who()
        if who is None or not who.alive:
            return False
        os.kill(who.pid, signal.SIGKILL)
        return True

    def _check(self, wanted: str) -> None:
        release = self.scene.release
        assert release.outcome is ev.Outcome.DONE, f"{release.outcome}: {release.why}"
        assert {one.version for one in self.users.answers[-40:]} == {wanted}
        self.scene.whole()
        assert len(self.scene.roles().get("watch", [])) == 1, "no watch, or two"


def play(plan: str, stride: int, most: int) -> tuple[list[Boundary], list[Round]]:
    """The events of a release, and the rounds in which all of them were moments to kill at, `most` rounds at most."""
    with tempfile.TemporaryDirectory(prefix="every-") as folder, Scene(Path(folder) / "iris", QUICK) as scene:
        for _ in range(2):
            made = scene.run("release", "--skip", "load", "--set", "release.strategy=all-at-once", deadline_s=120)
            assert made.process.returncode == 0, made.text
        with Users(scene.port, 10, 0.1) as users:
            killer, seq = Killer(scene, users, plan), scene.snapshot.seq
            rounds = [killer.round(())]
            assert rounds[0].wrong == "", rounds[0].wrong
            told = [name for event, name in boundaries(scene.events(seq), Counter()) if name[0] != "Drove"]
            left = [told[offset::stride] for offset in range(stride)]
            while left and len(rounds) <= most:
                wanted = left.pop(0)
                rounds.append(killer.round(wanted))
                # What came while no watch was there is tried again by itself.
                missed = [name for name in wanted if name not in rounds[-1].killed]
                left += [missed] if rounds[-1].killed else []
                show(len(rounds) - 1, rounds[-1])
        scene.sets = QUICK
        wait_for(lambda: scene.snapshot.live_release("iris") is None, "the end")
        down = scene.run("down")
        assert down.process.returncode == 0, down.text
        assert scene.left() == []
    return told, rounds


def show(number: int, row: Round) -> None:
    """A line of the table."""
    names = ", ".join(f"{kind} {index}" if index >= 0 else kind for kind, index, _ in row.killed)
    print(f"{number:>3} {len(row.killed):>5} {row.failed:>3} of {row.requests:>6} failed {row.seconds:>6.1f} s  "
          f"{names}  {row.wrong}", flush=True)  # fmt: skip


def main() -> int:
    """By hand."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--by", default="", help="Plans whose names hold this.")
    parser.add_argument("--stride", type=int, default=6, help="So many events between two kills in one release.")
    parser.add_argument("--most", type=int, default=40, help="So many releases at most.")
    given, bad = parser.parse_args(), 0
    for plan in [name for name in PLANS if given.by in name]:
        told, rounds = play(plan, given.stride, given.most)
        killed = {name for row in rounds for name in row.killed}
        missed = [name for name in told if name not in killed]
        kills, failed = sum(len(row.killed) for row in rounds), sum(row.failed for row in rounds)
        asked = sum(row.requests for row in rounds)
        print(f"{plan}: {len(killed)} of {len(told)} events, {kills} kills in {len(rounds) - 1} releases, "
              f"{failed} of {asked:,} requests failed; never reached: {missed or 'none'}")  # fmt: skip
        bad += sum(bool(row.wrong or row.failed) for row in rounds)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
