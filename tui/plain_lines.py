"""A release as plain lines, for CI and for a terminal without the deck."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from core.domain.gates import GateResult, Verdict
from core.domain.plan import title
from core.domain.sample import Sample
from core.state import events as ev
from core.state.messages import message_of
from core.state.snapshot import Snapshot
from core.state.verdict_words import why_of

QUIET_S = 2.0
"""A step's progress is said at most this often."""
SOURCE = 11


@dataclass(slots=True)
class Lines:
    """Says events of one endpoint as they come. `write` takes one line."""

    endpoint: str
    write: Callable[[str], None]
    verbose: bool = False
    _moved: float = field(default=0.0)
    _open: tuple[str, ...] = field(default=())
    _samples: int = field(default=0)
    _load: Sample | None = field(default=None)
    _failing: bool = field(default=False)
    _reason: str = field(default="")

    def say(self, event: ev.Event, snapshot: Snapshot) -> None:
        """One event, if it is about our endpoint and worth a line. `snapshot` is the state after it."""
        body = event.body
        release = snapshot.releases.get(getattr(body, "release", None) or "")
        endpoint = release.endpoint if release else getattr(body, "endpoint", self.endpoint)
        if endpoint != self.endpoint or self._skips(body) or self._repeats(body):
            return
        titles = tuple(title(state.step) for state in release.steps) if release else ()
        match body:
            case ev.StepMoved(index=index, text=text):
                self._line(event.at, titles[index] if titles else "step", text)
            case ev.Judged(verdicts=verdicts):
                for verdict in verdicts:
                    self._line(event.at, "gate", judged(verdict))
            case ev.Sampled():
                sample, self._load = self._load or body.sample, None
                self._failing = sample.failures > 0
                p95 = sample.latency.percentile_ms(95)
                figures = f"{sample.users or 0} users, {sample.rps:.0f} requests a second, {sample.failures} failed"
                raised = sum(sample.errors.values())
                figures += f", {raised} exceptions" if raised else ""
                self._line(event.at, "load", figures + (f", p95 {p95:.0f} ms" if p95 is not None else ""))
            case _:
                said = message_of(event, titles)
                if said is not None:
                    self._line(event.at, said.source, said.text)

    def _skips(self, body: ev.Body) -> bool:
        match body:
            case ev.StepMoved():
                late = time.monotonic() - self._moved >= QUIET_S
                self._moved = time.monotonic() if late else self._moved
                return not late
            case ev.Judged(release=release, index=index, verdicts=verdicts):
                said = (release, str(index), *(verdict.outcome.value for verdict in verdicts))
                same, self._open = said == self._open, said
                return same
            case ev.Sampled(sample=sample):
                if sample.slot is not None:
                    return True
                # What fails between two lines is in the next one, and the first that does is a line of its own.
                self._load = sample if self._load is None else self._load + sample
                self._samples += 1
                begins = sample.failures > 0 and not self._failing
                return self._samples % 5 != 1 and not begins
            case ev.Logged(source="gate"):
                return True
            case ev.StepStarted():
                return not self.verbose
            case _:
                return False

    def _repeats(self, body: ev.Body) -> bool:
        """Whether a line before said it: one reason ends a step, turns the release back and ends it."""
        match body:
            case ev.StepFailed(why=why) | ev.TurnedBack(why=why) | ev.Ended(why=why):
                again = bool(self._reason) and why.endswith(self._reason)
                self._reason = why if isinstance(body, ev.StepFailed) else self._reason
                return again
            case ev.Judged(verdicts=verdicts):
                self._reason = "; ".join(v.why for v in verdicts if v.outcome is not GateResult.PASS)
        return False

    def _line(self, at: float, source: str, text: str) -> None:
        self.write(f"{time.strftime('%H:%M:%S', time.localtime(at))} {source:<{SOURCE}} {text}")


def lines_of(endpoints: Sequence[str], write: Callable[[str], None]) -> list[Lines]:
    """Lines of several endpoints, each with its name before it; of one alone without."""
    if len(endpoints) == 1:
        return [Lines(endpoints[0], write)]
    width = max(map(len, endpoints))
    return [Lines(name, partial(_named, f"{name:<{width}}", write)) for name in endpoints]


def _named(name: str, write: Callable[[str], None], line: str) -> None:
    write(f"{name}  {line}")


def judged(verdict: Verdict) -> str:
    """A verdict in a line, its glyph first."""
    glyph = {GateResult.PASS: "✔", GateResult.FAIL: "✖", GateResult.INCONCLUSIVE: "?", GateResult.ERROR: "!"}[
        verdict.outcome
    ]
    dry = " (dry run)" if verdict.gate.dry_run else ""
    return f"{glyph} {verdict.gate.name} {why_of(verdict)}{dry}"
