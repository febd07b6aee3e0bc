"""Kills, hangs and refusals over releases to a cluster: python -m tests.cluster_chaos [--rounds N] [--seconds S].

The cluster is a stand-in in a process of its own, the command is the real one, and users ask through the address of the
Service or of the Gateway all along. A round is one release of the version that does not serve, in one way of moving
traffic, with one fault at one moment of it: while traffic shifts, in a hold, at a question, or on the way back.
Afterwards the right version must answer, the objects must lead there and nowhere else, and what is somebody else's must
be as it was. Prints a line a round and a table; ends with 1 where something was wrong.
"""

import argparse
import contextlib
import itertools
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.domain.plan import Ask, Hold, Shift, Step
from core.state.endpoint import Endpoint
from core.state.events import Outcome
from core.state.release import Release
from tests.kubernetes.kinds import Json
from tests.story.cluster_faults import FAULTS, ClusterFault, ClusterVictims
from tests.story.cluster_scene import ClusterScene, TrafficWay, image, ways
from tests.story.kills_scene import Call, wait_for
from tests.story.stand_in import StandIn
from tests.story.users import Users

BACK = "rollback"
MOMENTS: dict[str, type[Step] | None] = {"shift": Shift, "hold": Hold, "question": Ask, BACK: None}
END_S, SETTLED_S, TAKEN_S, LANDED_S = 180.0, 60.0, 20.0, 2.0


@dataclass(frozen=True, slots=True)
class ClusterRound:
    """What came of one release."""

    way: str
    moment: str
    fault: str
    outcome: str
    requests: int
    failed: int
    outage_s: float
    seconds: float
    wrong: str
    failures: str

    @property
    def line(self) -> str:
        """As it is printed."""
        return (
            f"{self.way:<9} {self.moment:<9} {self.fault:<46} {self.outcome:<12} "
            f"{self.failed:>4} of {self.requests:>6} failed, {self.outage_s:>5.1f} s out "
            f"{self.seconds:>6.1f} s  {self.wrong or self.failures}"
        )


class ClusterChaos:
    """One project and its rounds."""

    def __init__(self, scene: ClusterScene, theirs: Json) -> None:
        self.scene = scene
        self.theirs = theirs

    def round(self, way: TrafficWay, moment: str, fault: ClusterFault) -> ClusterRound:
        """One release with one fault; what was wrong is written down, and mended for the next round."""
        began, wrong, outcome, outage = time.time(), "", "", 0.0
        with Users(way.port, users=5, pause_s=0.03) as users:
            try:
                outcome, outage = self._release(way, moment, fault, users)
            except AssertionError as error:
                wrong = " ".join(str(error).split())[-600:]
                self._mend(way)
            answers = list(users.answers)
        whys = Counter(one.why for one in answers if one.why)
        failed, said = whys.total(), ", ".join(f"{count} × {why}" for why, count in whys.most_common(3))
        took_s = time.time() - began
        return ClusterRound(way.traffic, moment, fault.name, outcome, len(answers), failed, outage, took_s, wrong, said)

    def _release(self, way: TrafficWay, moment: str, fault: ClusterFault, users: Users) -> tuple[str, float]:
        """Its outcome, and how long after the fault the last request failed."""
        scene, before = self.scene, self.serving(way)
        wanted = "1" if before == "2" else "2"
        call, release = self.begun(way, moment, wanted)
        step, at = MOMENTS[moment], time.time()
        if step is not None:
            wait_for(lambda: in_step(release(), step), f"{moment}\n{call.text}", END_S)
            at = time.time()
            fault.strike(ClusterVictims(scene.cluster, scene, call.process))
        if step is Ask:
            said = scene.call("approve", "--env", way.env, sets=())
            assert said.ends(END_S) == 0, said.text
        wait_for(lambda: not release().live, f"the end of {release().id}\n{call.text}", END_S)
        if not (fault.kills_command and step is not None):
            code = call.ends(END_S)
            assert (code == 0) is (release().outcome is Outcome.DONE), f"it ended with {code}: {call.text}"
        right, outcome = (wanted if release().outcome is Outcome.DONE else before), release().outcome
        if step is None:
            assert right == wanted, f"{outcome}: {release().why}"
            at, right = self._back(way, fault, call), before
        assert outcome is not None
        self._right(way, fault, at, right, users)
        why = "" if outcome is Outcome.DONE else f": {release().why}"
        return f"{outcome.value}{why}", users.back(at, 20)

    def begun(self, way: TrafficWay, moment: str, wanted: str) -> tuple[Call, Callable[[], Release]]:
        """The command, and its release as it is now."""
        scene, seen = self.scene, set(self.scene.snapshot.releases)
        asked = ("release", "--env", way.env, "--skip", "load", "--model-uri", f"models:/iris/{wanted}")
        sets = (*scene.sets, f"kubernetes.image={image(wanted)}", *_steps(way, moment))
        call = scene.call(*asked, sets=sets, terminal=moment == "question")

        def begun() -> str:
            assert call.process.poll() is None or set(scene.snapshot.releases) - seen, call.text
            return next(iter(set(scene.snapshot.releases) - seen), "")

        name = wait_for(begun, f"the release to begin\n{call.text}")
        return call, lambda: scene.snapshot.releases[name]

    def _back(self, way: TrafficWay, fault: ClusterFault, call: Call) -> float:
        """The way back under the fault; when that struck."""
        scene = self.scene
        if not fault.of_process:
            fault.strike(ClusterVictims(scene.cluster, scene, call.process))
        at, turned = time.time(), self._endpoint(way).verified
        back = scene.call(BACK, "--env", way.env, sets=())
        if fault.of_process:
            wait_for(lambda: back.process.poll() is not None or "back" in back.text, "the way back to begin", END_S)
            at = time.time()
            fault.strike(ClusterVictims(scene.cluster, scene, back.process))
        wait_for(lambda: self._endpoint(way).verified not in (turned, None), f"the proof\n{back.text}", END_S)
        code = back.ends(END_S)
        assert code == 0 or fault.kills_command, f"the rollback ended with {code}: {back.text}"
        return at

    def _right(self, way: TrafficWay, fault: ClusterFault, at: float, right: str, users: Users) -> None:
        """All that must be true after a round, also once a call that hung has landed."""
        scene = self.scene
        if fault.lands_s and any(one["met"] for one in scene.cluster.state()["faults"]):
            time.sleep(max(0.0, at + fault.lands_s + LANDED_S - time.time()))
        wait_for(lambda: _reached(scene), "the API server", SETTLED_S, 0.2)
        scene.cluster.tell("clear")
        wait_for(lambda: not scene.wrong(way, right), f"v{right} alone: {scene.wrong(way, right)}", SETTLED_S, 0.2)
        users.back(time.time(), 40)
        versions = {one.version for one in users.answers[-40:]}
        assert versions == {right}, f"{sorted(versions)} answer, not {right}"
        if "watch" not in scene.roles():
            # It was struck when nobody waited for anything any more: whoever comes next misses it.
            looked = scene.call("status", sets=())
            assert looked.ends(END_S) == 0, looked.text
        wait_for(lambda: not scene.leases(way), f"{scene.leases(way)}; there run {list(scene.roles())}", TAKEN_S, 0.2)
        assert scene.foreign() == self.theirs, "something of somebody else's was changed"
        assert scene.cluster.state()["troubles"] == [], scene.cluster.state()["troubles"]

    def _endpoint(self, way: TrafficWay) -> Endpoint:
        return self.scene.snapshot.endpoints[way.endpoint]

    def serving(self, way: TrafficWay) -> str:
        endpoint = self._endpoint(way)
        version = endpoint.slots[endpoint.serving or ""].version
        assert version is not None
        return version.number

    def _mend(self, way: TrafficWay) -> None:
        """What an operator would do, so that the next round begins well."""
        scene = self.scene
        scene.end_calls()
        with contextlib.suppress(AssertionError):
            wait_for(lambda: _reached(scene), "the API server", SETTLED_S, 0.2)
            scene.cluster.tell("clear")
            for verb in ("abort", BACK):
                if scene.snapshot.live_release(way.endpoint) is not None:
                    scene.call(verb, "--env", way.env, sets=()).ends(END_S)


def in_step(release: Release, step: type[Step]) -> bool:
    """Whether a release is in a step of this kind, its question open; it was not to end before it came to that."""
    assert release.live, f"it ended before: {release.outcome} {release.why}"
    now = release.current
    begun = now is not None and now.started_at is not None and isinstance(now.step, step)
    return begun and (step is not Ask or (now is not None and now.question is not None))


def _steps(way: TrafficWay, moment: str) -> tuple[str, ...]:
    """The strategy that the way of traffic can do; where a person is to be asked, the steps themselves."""
    if moment != "question":
        return ("release.strategy=blue-green",) if way.traffic == "selector" else ("release.strategy=canary",)
    steps = "smoke, ask, shift 100, hold 2s" if way.traffic == "selector" else "smoke, shift 50, ask, shift 100"
    return (f"release.plan=[{steps}]",)


def _reached(scene: ClusterScene) -> bool:
    try:
        return bool(scene.cluster.state())
    except OSError:
        return False
    except Exception as error:
        if type(error).__module__.startswith("httpx"):
            return False
        raise


@contextlib.contextmanager
def project(folder: Path, places: Sequence[TrafficWay]) -> Iterator[ClusterChaos]:
    """Two versions in each place, the second one serving; ended by `down`, which leaves what is somebody else's."""
    with StandIn(folder) as cluster, ClusterScene(folder / "iris", cluster, places) as scene:
        theirs = scene.furnish()
        for number, way in itertools.product(("1", "2"), places):
            uri = () if way == places[0] else ("--model-uri", f"models:/iris/{number}")
            asked = ("release", "--env", way.env, "--skip", "load", *uri)
            sets = (*scene.sets, f"kubernetes.image={image(number)}", "release.strategy=all-at-once")
            made = scene.call(*asked, sets=sets)
            assert made.ends(END_S) == 0, made.text
        yield ClusterChaos(scene, theirs)
        down = scene.call("down", sets=())
        assert down.ends(END_S) == 0, down.text
        for plural in ("leases.coordination.k8s.io", "httproutes.gateway.networking.k8s.io"):
            assert scene.caller.get(plural).json()["items"] == [], f"left behind: {plural}"
        names = {one["metadata"]["name"] for one in scene.caller.get("deployments.apps").json()["items"]}
        assert names == {"theirs"}, f"left behind: {names}"
        assert scene.foreign() == theirs, "down touched what is somebody else's"
        assert scene.left() == []


def order(faults: Sequence[ClusterFault], draw: random.Random) -> Iterator[tuple[int, str, ClusterFault]]:
    """Every fault at every moment before any comes again; the number says which way of traffic."""
    pairs = [(moment, fault) for fault in faults for moment in MOMENTS]
    for turn in itertools.count():
        for number, (moment, fault) in enumerate(draw.sample(pairs, len(pairs))):
            yield number + turn, moment, fault


def run(
    rounds: int, seconds: float, faults: Sequence[ClusterFault], seed: int, say: Callable[[str], None], by: str = ""
) -> list[ClusterRound]:
    """So many rounds within so many seconds, then down; raises AssertionError where something is left behind."""
    found: list[ClusterRound] = []
    places = [way for way in ways() if by in way.traffic]
    with tempfile.TemporaryDirectory(prefix="cluster-") as folder, project(Path(folder), places) as chaos:
        until_s = time.monotonic() + seconds
        for number, moment, fault in itertools.islice(order(faults, random.Random(seed)), rounds):
            if time.monotonic() > until_s:
                break
            found.append(chaos.round(places[number % len(places)], moment, fault))
            say(f"{len(found):>3} {found[-1].line}")
        say(f"journal whole: {chaos.scene.whole()} events")
    return found


def table(found: Sequence[ClusterRound]) -> list[str]:
    """A line a fault, and one for all."""
    lines = [f"{'fault':<46} {'rounds':>6} {'right':>6} {'done':>5} {'requests':>9} {'failed':>7} {'outage s':>9}"]
    names = sorted({one.fault for one in found})
    rows = [_summed(name, [one for one in found if one.fault == name]) for name in names]
    return [*lines, *rows, _summed("all", found)]


def _summed(name: str, found: Sequence[ClusterRound]) -> str:
    right, done = sum(not one.wrong for one in found), sum(one.outcome == Outcome.DONE.value for one in found)
    requests, failed = sum(one.requests for one in found), sum(one.failed for one in found)
    outage = max((one.outage_s for one in found), default=0.0)
    return f"{name:<46} {len(found):>6} {right:>6} {done:>5} {requests:>9,} {failed:>7} {outage:>9.1f}"


def main() -> int:
    """By hand."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--only", default="", help="Faults whose names hold this.")
    parser.add_argument("--by", default="", help="A way of traffic alone: gateway, selector or replicas.")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    given = parser.parse_args()
    faults = [fault for fault in FAULTS if given.only in fault.name]
    print(f"seed {given.seed}", flush=True)
    found = run(given.rounds, given.seconds, faults, given.seed, lambda line: print(line, flush=True), given.by)
    print("\n".join(table(found)))
    return int(any(one.wrong for one in found))


if __name__ == "__main__":
    sys.exit(main())
