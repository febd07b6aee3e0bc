"""Whether what a rule looks for is true at a moment, and by which figures. Pure."""

from dataclasses import dataclass

from core.alerts.rules import Measure, Rule
from core.alerts.tally import RECENT_S, AnswerTally, Counts
from core.domain.model import Slot
from core.domain.plan import Smoke
from core.domain.strategies import ROLLBACK
from core.state.alert import Alert, AlertState
from core.state.endpoint import Endpoint
from core.state.events import Outcome
from core.state.release import Release, Status
from core.state.reversal import TAKEN_BACK
from core.system.text import in_digits, rough

SMOKED_S = 600.0
"""For so long after it ended a release whose smoke test failed is news."""


@dataclass(frozen=True, slots=True)
class Finding:
    """`bad` None: nothing can be said, and nothing changes. `since`: true since then, where that is known."""

    bad: bool | None
    text: str
    since: float | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """What there is to judge by: the endpoint, its newest release, what it answered, and the objective in percent.

    `began_at` is when somebody began to look: before that, nothing is known of silence.
    """

    endpoint: Endpoint
    release: Release | None
    tally: AnswerTally
    now: float
    objective: float = 99.9
    began_at: float = 0.0

    @property
    def takers(self) -> tuple[Slot, ...]:
        """The slots that callers get: what another one answered before traffic left it is over."""
        slots, weights = self.endpoint.slots, self.endpoint.weights
        return tuple(
            sorted({*(s for s, w in weights.items() if w > 0), *(s for s, seen in slots.items() if seen.weight > 0)})
        )


def find(rule: Rule, scene: Scene) -> Finding:
    """What a rule finds."""
    match rule.measure:
        case Measure.SMOKE:
            return _smoke(scene)
        case Measure.ERRORS:
            counts = _enough(rule, scene)
            if counts is None:
                return Finding(None, f"fewer than {rule.at_least} requests to judge by")
            text = f"{counts.failed_percent:.1f} % of {counts.requests:,} requests failed"
            return Finding(counts.failed_percent > rule.limit, f"{text}, limit {in_digits(rule.limit, 6)} %")
        case Measure.AVAILABILITY:
            return _available(rule, scene)
        case Measure.REQUESTS:
            return _requests(rule, scene)
        case Measure.P95:
            counts = _enough(rule, scene)
            if counts is None:
                return Finding(None, f"fewer than {rule.at_least} requests to judge by")
            p95 = scene.tally.latency(max(rule.window_s, 1.0), scene.now, *scene.takers).percentile_ms(95)
            if p95 is None:
                return Finding(None, "no latency was measured")
            return Finding(p95 > rule.limit, f"p95 {p95:,.0f} ms, limit {rule.limit:,.0f} ms")
        case Measure.BURN:
            return _burn(rule, scene)


def gone(alert: Alert | None, finding: Finding, scene: Scene) -> Finding:
    """What a rule found; where nobody asks since traffic went back, what it was about serves no more: it is over."""
    release, goes_on = scene.release, alert is not None and (alert.burns or alert.state is AlertState.PENDING)
    if finding.bad is not None or alert is None or not goes_on or release is None or release.ended_at is None:
        return finding
    way_back = release.plan.strategy == ROLLBACK and release.outcome is Outcome.DONE
    back = (way_back or release.outcome in (*TAKEN_BACK, Outcome.FAILED)) and release.ended_at > alert.since
    what = "another version serves" if way_back else f"{release.id} was taken back"
    return Finding(False, f"{what}; {finding.text}") if back else finding


def _smoke(scene: Scene) -> Finding:
    release = scene.release
    if release is None or (release.ended_at is not None and scene.now - release.ended_at > SMOKED_S):
        return Finding(False, "no smoke test failed")
    failed = next((s for s in release.steps if isinstance(s.step, Smoke) and s.status is Status.FAILED), None)
    if failed is None:
        return Finding(False, "no smoke test failed")
    return Finding(True, f"smoke test of {release.id} failed: {failed.why}", failed.ended_at)


def _enough(rule: Rule, scene: Scene) -> Counts | None:
    """What was answered in the window or, where that is too little, in all the time that the rule waits."""
    counts = scene.tally.over(rule.window_s, scene.now, *scene.takers)
    if counts.requests < rule.at_least:
        longer_s = max(rule.window_s, rule.for_s)
        counts = scene.tally.over(longer_s, scene.now, *(scene.takers if longer_s <= RECENT_S else ()))
    return counts if counts.requests >= max(1, rule.at_least) else None


def _available(rule: Rule, scene: Scene) -> Finding:
    slots = scene.endpoint.slots
    meant = [slot for slot, weight in scene.endpoint.weights.items() if weight > 0]
    if meant and not any(slots[slot].ready for slot in meant if slot in slots):
        return Finding(
            True, "no replica is ready" if slots.keys() & meant else "what serves was deleted where it stood"
        )
    counts = _enough(rule, scene)
    if counts is None:
        return Finding(None, f"fewer than {rule.at_least} requests to judge by")
    available = 100 - counts.failed_percent
    return Finding(available < rule.limit, f"availability {available:.2f} %, limit {rule.limit:g} %")


def _requests(rule: Rule, scene: Scene) -> Finding:
    contact, answered = scene.endpoint.contact, scene.tally.last_request_at or 0.0
    last = max(answered, scene.began_at)
    quiet_s = scene.now - last
    if contact is not None and not contact.counts:
        return Finding(False, "who asks there by themselves is not counted here", last)
    if quiet_s > min(rule.window_s, rule.for_s):
        return Finding(True, f"no requests for {quiet_s:,.0f} s", last)
    if answered < scene.began_at:
        return Finding(None, f"watched for {quiet_s:,.0f} s only")
    return Finding(False, f"requests come, the last one {quiet_s:,.0f} s ago", last)


def _burn(rule: Rule, scene: Scene) -> Finding:
    budget = 100 - scene.objective
    if scene.tally.first_at is None or scene.now - scene.tally.first_at < rule.short_s:
        # One failure among the first few requests of all burns no budget.
        return Finding(None, f"watched for less than {rough(rule.short_s)}")
    long, short = (scene.tally.over(span_s, scene.now) for span_s in (rule.long_s, rule.short_s))
    if min(long.requests, short.requests) < max(1, rule.at_least):
        return Finding(None, f"fewer than {rule.at_least} requests to judge by")
    rates = {span_s: counts.failed_percent / budget for counts, span_s in ((long, rule.long_s), (short, rule.short_s))}
    if min(rates.values()) >= rule.limit:
        over = " and ".join(f"{rate:.1f}x over {rough(span_s)}" for span_s, rate in rates.items())
        return Finding(True, f"the error budget burns {over}, limit {rule.limit:g}x")
    # The shorter one comes down first, and what the longer one still adds up is over.
    calm = min(rates, key=lambda span_s: (rates[span_s] >= rule.limit, span_s))
    rest = "".join(f"; {rate:.1f}x over {rough(span_s)} in all" for span_s, rate in rates.items() if span_s != calm)
    return Finding(
        False, f"the last {rough(calm)} burn {rates[calm]:.1f}x of the error budget, under {rule.limit:g}x{rest}"
    )
