"""Strikes on the way back on Azure ML: python -m tests.azure_chaos [--seconds S] [--only PART].

The workspace is a stand-in whose deployments are real processes, the command is the real one, and users ask the
endpoint all along. A round is one release, struck once, and `quarterdeck rollback` at a moment of it. Afterwards all
traffic is with the old deployment, and what lands late has been put back and said.
Prints a line a round and a table; ends with 1 where something was wrong.
"""

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.state import events as ev
from core.state.events import Outcome
from core.state.release import ReleaseState
from tests.azure.delays import AzureDelays
from tests.azure.standin import AzureStandIn
from tests.story.azure_faults import FAULTS, AzureFault
from tests.story.azure_scene import NAME, AzureScene, AzureUsers
from tests.story.kills_scene import Call, wait_for

END_S, SETTLED_S, STAYS_S = 400.0, 90.0, 3.0
QUICK = AzureDelays(endpoint_s=0.3, traffic_s=0.3, deployment_s=0.3)


@dataclass(frozen=True, slots=True)
class AzureRound:
    """What came of one. `back_s`: from the key to the last answer of the new deployment; `proved_s`: to the proof."""

    fault: str
    back_s: float
    proved_s: float | None
    requests: int
    failed: int
    said: Sequence[str]
    wrong: str

    @property
    def line(self) -> str:
        """As it is printed."""
        proved = "  none" if self.proved_s is None else f"{self.proved_s:6.1f}"
        failed = f"{self.failed:>3} of {self.requests:>5} failed"
        return f"{self.fault:<52} {1000 * self.back_s:>7.0f} ms {proved} s  {failed}  {self.wrong}"


class AzureChaos:
    """One project, whose first version serves between the rounds; `seconds` is how long what is slow takes."""

    def __init__(self, scene: AzureScene, seconds: float) -> None:
        self.scene = scene
        self.seconds = seconds

    def round(self, fault: AzureFault) -> AzureRound:
        """One release and its way back; what was wrong is written down, and mended for the next round."""
        scene, wrong, back_s = self.scene, "", 0.0
        after = scene.snapshot.seq
        with AzureUsers(scene.azure) as users:
            try:
                back_s = self._struck(fault, users)
                assert users.failed() == [], f"requests failed: {users.failed()[:2]}"
            except AssertionError as error:
                wrong = " ".join(str(error).split())[-900:]
                self._mend()
        proved = [
            one.body for one in scene.events(after) if isinstance(one.body, ev.Verified) and one.body.since == "key"
        ]
        return AzureRound(
            fault.name,
            back_s,
            proved[-1].took_ms / 1000 if proved else None,
            len(users.answers),
            len(users.failed()),
            scene.said(after),
            wrong,
        )

    def _struck(self, fault: AzureFault, users: AzureUsers) -> float:
        """Seconds from the key to the last answer of the new deployment."""
        scene = self.scene
        (old,) = scene.traffic
        scene.take_away_idle()
        after = scene.snapshot.seq
        if fault.ahead:
            fault.strike(scene, self.seconds)
        struck = time.monotonic()
        call = self._begun()
        self._reaches(fault, call)
        new = next(slot for slot in ("blue", "green") if slot != old)
        if not fault.ahead:
            fault.strike(scene, self.seconds)
            struck = time.monotonic()
        key = time.time()
        back = scene.call("rollback", "--env", "prod", sets=())
        if fault.kills:
            wait_for(self._going_back, f"the way back\n{back.text}", END_S)
            scene.kill_watch()
        code = back.ends(END_S)
        assert code == 0, f"the rollback ended with {code}: {back.text}"
        call.ends(END_S)
        wait_for(lambda: scene.snapshot.live_release(NAME) is None, f"the end\n{call.text}", END_S)
        if fault.kills:
            scene.has_watch()
        self._right(fault, old, after, struck)
        return max(0.0, users.last_of(new) - key)

    def _going_back(self) -> bool:
        """Whether the release is on its way back, or has arrived."""
        live = self.scene.snapshot.live_release(NAME)
        return live is None or live.state is ReleaseState.BACK

    def _begun(self) -> Call:
        """The release of the version that does not serve, by canary."""
        return self.scene.call(
            *("release", "--env", "prod", "--skip", "load", "--model-uri", f"models:/{NAME}/1"),
            sets=(*self.scene.sets, "release.strategy=canary", "release.hold_s=120"),
        )

    def _reaches(self, fault: AzureFault, call: Call) -> None:
        """The moment of the fault; a call that is to hang has begun to."""
        scene = self.scene
        wait_for(lambda: scene.at.startswith(fault.moment) or call.process.poll() is not None, fault.moment, END_S)
        assert call.process.poll() is None, f"it ended before {fault.moment}: {call.text}"
        if fault.ahead and (active := scene.azure.faults.active):
            wait_for(lambda: active[0].met, "the call to be struck", END_S)
        if fault.moment == "deploy" and not scene.azure.faults.active:
            wait_for(lambda: "Creating" in scene.deployed().values(), "the deployment to be created", END_S)

    def _right(self, fault: AzureFault, old: str, after: int, struck: float) -> None:
        """All that must be true after a round, also once a call that hung has landed."""
        scene = self.scene
        if fault.lands:
            time.sleep(max(0.0, struck + self.seconds - time.monotonic()))
        if fault.says:
            wait_for(lambda: any(fault.says in one for one in scene.said(after)), fault.says, SETTLED_S, 0.2)
        self._calm()
        wait_for(lambda: scene.traffic == {old: 100}, f"all traffic at {old}: {scene.traffic}", SETTLED_S, 0.1)
        until = time.monotonic() + STAYS_S
        while time.monotonic() < until:
            assert scene.traffic == {old: 100}, f"traffic went to {scene.traffic} again"
            time.sleep(0.1)
        told = scene.snapshot.endpoints[NAME].weights
        assert told == {old: 100.0}, f"the journal says {told}"
        outcome = scene.release.outcome
        assert outcome in {Outcome.ROLLED_BACK, Outcome.ABORTED, Outcome.FAILED}, f"it ended {outcome}"
        assert scene.azure.troubles == [], scene.azure.troubles

    def _calm(self) -> None:
        """Nothing wrong any more."""
        azure = self.scene.azure
        azure.take_back()
        for name in AzureDelays.__slots__:
            setattr(azure.delays, name, getattr(QUICK, name))

    def _mend(self) -> None:
        """What an operator would do, so that the next round begins well."""
        scene = self.scene
        scene.end_calls()
        self._calm()
        with contextlib.suppress(AssertionError):
            scene.has_watch()
            for verb in ("abort", "rollback"):
                if scene.snapshot.live_release(NAME) is not None:
                    scene.call(verb, "--env", "prod", sets=()).ends(END_S)


@contextlib.contextmanager
def project(folder: Path, seconds: float, **place: object) -> Iterator[AzureChaos]:
    """One version that serves; ended by `down`, which leaves nothing in the workspace that costs."""
    (folder / "azure").mkdir()
    with AzureStandIn(folder / "azure") as azure, AzureScene(folder / NAME, azure, **place) as scene:
        chaos = AzureChaos(scene, seconds)
        chaos._calm()
        scene.furnish()
        made = scene.call(
            *("release", "--env", "prod", "--skip", "load"), sets=(*scene.sets, "release.strategy=all-at-once")
        )
        assert made.ends(END_S) == 0, made.text
        yield chaos
        down = scene.call("down", sets=())
        assert down.ends(END_S) == 0, down.text
        assert azure.do(lambda: list(azure.endpoints.held)) == [], "left behind"
        assert scene.left() == []


def main() -> int:
    """By hand."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0, help="how long what hangs or is slow takes")
    parser.add_argument("--call-s", type=float, default=10.0, help="azureml.call_s: how long an answer is waited for")
    parser.add_argument("--only", default="", help="faults whose names hold this")
    given = parser.parse_args()
    found: list[AzureRound] = []
    with (
        tempfile.TemporaryDirectory(prefix="azure-") as folder,
        project(Path(folder), given.seconds, call_s=given.call_s) as chaos,
    ):
        for fault in (one for one in FAULTS if given.only in one.name):
            found.append(chaos.round(fault))
            print(found[-1].line, flush=True)
            print("".join(f"      {text}\n" for text in found[-1].said), end="", flush=True)
        print(f"journal whole: {chaos.scene.whole()} events")
        watch = [one.memory_info().rss / 1e6 for one in chaos.scene.roles().get("watch", [])]
        print(f"memory of the watch, the login's package loaded: {', '.join(f'{one:.0f} MB' for one in watch)}")
    print("\n".join(one.line for one in found))
    return int(any(one.wrong for one in found))


if __name__ == "__main__":
    sys.exit(main())
