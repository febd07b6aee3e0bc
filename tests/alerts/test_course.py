"""Every rule from quiet to resolved, second by second, without a clock."""

from dataclasses import replace

import pytest

from core.alerts.course import acted, next_alert
from core.alerts.finding import Finding, Scene, find, gone
from core.alerts.rules import RULES, Does, Measure, Rule
from core.alerts.tally import AnswerTally
from core.domain.histogram import Histogram
from core.domain.model import Contact, Observation
from core.domain.plan import Plan
from core.domain.sample import Sample
from core.state import commands as c
from core.state.alert import Alert, AlertState, Hush, Topic
from core.state.endpoint import Endpoint
from core.state.release import Release, ReleaseState
from core.state.release_events import Outcome
from tests.environments import V1
from tests.rollout.test_decide import holding

START = 1_000_000.0
BLUE = Endpoint("late", slots={"blue": Observation("blue", V1, 2, 2, 100.0)}, weights={"blue": 100.0})
BY_NAME = {rule.name: rule for rule in RULES}


def played(
    rule: Rule,
    failed: float,
    lasts_s: float,
    ms: float = 20.0,
    rps: int = 100,
    step_s: float = 5.0,
    quiet: bool = False,
) -> list[tuple[float, Alert]]:
    """Each state that an alert came to, with its second: `failed` of each hundred answers, after a well time."""
    tally, alert, found = AnswerTally(), None, []
    well_s = 60.0
    now = START
    while now < START + well_s + lasts_s:
        now += step_s
        bad = now > START + well_s
        share = failed if bad else 0.0
        count = round(100 * step_s)
        errors = round(count * share / 100)
        if not (bad and quiet):
            latency = Histogram.of_counts({(ms if bad else 20.0): count})
            kinds = {"500": errors} if errors else {}
            tally.add(Sample("blue", now, count - errors, kinds, latency=latency, seconds=step_s, quiet_s=0.0))
        scene = Scene(BLUE, None, tally, now, began_at=START)
        after = next_alert(rule, alert, find(rule, scene), now, None)
        if after is not None:
            alert = after
            found.append((now - START - well_s, after))
    return found


@pytest.mark.parametrize(
    ("name", "failed", "ms", "quiet", "fires_s"),
    [
        ("errors", 8, 20, False, (300, 345)),
        ("errors-lasting", 8, 20, False, (600, 645)),
        ("availability", 2, 20, False, (600, 635)),
        ("availability-lasting", 2, 20, False, (900, 935)),
        ("no-requests", 0, 20, True, (900, 905)),
        ("latency", 0, 2500, False, (900, 905)),
        ("burn-fast", 30, 20, False, (240, 300)),
    ],
)
def test_a_rule_is_pending_then_fires_in_its_own_time(
    name: str, failed: float, ms: float, quiet: bool, fires_s: tuple[float, float]
) -> None:
    rule = BY_NAME[name]
    states = played(rule, failed, fires_s[1] + 120, ms, quiet=quiet)
    fired_at = next(at for at, alert in states if alert.state is AlertState.FIRED)
    assert fires_s[0] <= fired_at <= fires_s[1] + 60, states
    if rule.for_s:
        assert states[0][1].state is AlertState.PENDING
        assert states[0][1].will == rule.will
        assert states[0][1].due_at == states[0][1].since + rule.for_s


@pytest.mark.parametrize(
    ("name", "failed", "ms"),
    [
        ("errors", 4, 20),
        ("errors-lasting", 4, 20),
        ("availability", 0.5, 20),
        ("latency", 0, 1500),
        ("burn-fast", 1, 20),
    ],
)
def test_below_its_limit_a_rule_stays_quiet(name: str, failed: float, ms: float) -> None:
    assert played(BY_NAME[name], failed, 1000, ms) == []


def test_budget_burns_are_judged_over_hours_and_days() -> None:
    for name, lasts_h in (("burn-slow", 6), ("burn-budget", 60)):
        assert any(a.state is AlertState.FIRED for _, a in played(BY_NAME[name], 5, lasts_h * 3600, step_s=60.0))
        assert not played(BY_NAME[name], 0.05, lasts_h * 3600, step_s=60.0)


def test_what_is_over_is_not_told_as_if_it_went_on() -> None:
    """An hour still adds up to a fast burn when the last minutes are well; requests that come again are no silence."""
    tally, scenes = AnswerTally(), []
    for bad in (True, False):
        for second in range(0 if bad else 1800, 1800 if bad else 3600, 10):
            tally.add(Sample("blue", START + second, 50, {"500": 50} if bad else {}, seconds=10.0))
        scene = Scene(BLUE, None, tally, START + (1800 if bad else 3600), began_at=START)
        scenes.append(find(BY_NAME["burn-fast"], scene))
    burns, calm = scenes
    assert (burns.bad, burns.text[:23]) == (True, "the error budget burns "), burns
    said = "the last 5 min burn 0.0x of the error budget, under 14.4x; "
    assert (calm.bad, calm.text[: len(said)]) == (False, said)
    assert calm.text.endswith("x over 1 h in all")
    assert find(BY_NAME["no-requests"], scene) == Finding(False, "requests come, the last one 10 s ago", START + 3590)


def test_a_watch_that_has_just_begun_takes_its_own_beginning_for_no_request() -> None:
    """Silence that was seen before it goes on, and is told after so long as if the watch had never changed."""
    rule, began = BY_NAME["no-requests"], START + 400
    found = [find(rule, Scene(BLUE, None, AnswerTally(), at, began_at=began)) for at in (began + 5, began + 301)]
    assert found == [Finding(None, "watched for 5 s only"), Finding(True, "no requests for 301 s", began)]
    pending = next_alert(rule, None, Finding(True, "no requests for 301 s", START), START + 301, None)
    assert pending is not None
    assert next_alert(rule, pending, found[0], began + 5, None) is None


def test_where_users_are_not_counted_nobody_is_told_that_none_come() -> None:
    """And what was pending when that became known is over."""
    uncounted = replace(BLUE, contact=Contact(START, counts=False))
    found = find(BY_NAME["no-requests"], Scene(uncounted, None, AnswerTally(), START + 3600, began_at=START))
    assert (found.bad, found.text) == (False, "who asks there by themselves is not counted here")


@pytest.mark.parametrize("name", ["errors", "availability", "latency"])
def test_what_a_slot_answered_before_traffic_left_it_raises_no_alert(name: str) -> None:
    """A release that was stopped is over: its failures are told by it, and not again a minute later."""
    tally, found = AnswerTally(), []
    for slot, failed, ms in (("green", 100, 9000.0), ("blue", 0, 20.0)):
        latency = Histogram.of_counts({ms: 100})
        tally.add(Sample(slot, START, 100 - failed, {"500": failed} if failed else {}, latency=latency))
    for green in (10.0, 0.0):
        scene = Scene(replace(BLUE, weights={"blue": 100.0 - green, "green": green}), None, tally, START + 10)
        found.append(find(BY_NAME[name], scene).bad)
    assert found == [True, False]


@pytest.mark.parametrize("state", [AlertState.PENDING, AlertState.FIRED])
@pytest.mark.parametrize("outcome", [Outcome.ROLLED_BACK, Outcome.ABORTED, Outcome.FAILED, Outcome.DONE])
def test_what_an_alert_is_about_is_over_once_traffic_left_it_though_nobody_asks_any_more(
    state: AlertState, outcome: Outcome
) -> None:
    release = Release("r2", "late", "dev", "local", Plan("canary", ()), (), "ada", START, version=V1)
    ended = replace(release, state=ReleaseState.ENDED, outcome=outcome, ended_at=START + 20)
    alert = Alert("errors", state, START + 10, START + 10, START + 300, "9 %")
    scene = Scene(BLUE, ended, AnswerTally(), START + 30)
    for since, bad in ((START + 10, None if outcome is Outcome.DONE else False), (START + 25, None)):
        assert gone(replace(alert, since=since), find(BY_NAME["errors"], scene), scene).bad is bad


def test_hours_cost_no_more_than_their_minutes() -> None:
    tally = AnswerTally()
    for second in range(0, 4 * 86400, 10):
        tally.add(Sample("blue", START + second, 100, {"500": 1}, seconds=10.0))
    assert len(tally.minutes) <= 3 * 1440 + 3
    assert len(tally.recent) < 200
    assert tally.over(3 * 86400, START + 4 * 86400).requests == pytest.approx(3 * 8640 * 101, rel=0.01)


def test_copies_and_what_a_load_counts_are_no_answers_to_users() -> None:
    tally = AnswerTally()
    tally.add(Sample(None, START, 100))
    tally.add(Sample("green", START, 10, mirrored=10))
    assert tally.over(60, START).requests == 0
    assert tally.last_request_at is None


RULE = Rule("errors", Measure.ERRORS, 5, 60, Does.TELL, escalate_s=100)
BAD, GOOD, UNKNOWN = Finding(True, "8 %"), Finding(False, "0 %"), Finding(None, "?")


def course(*looks: tuple[float, Finding], hush: Hush | None = None, rule: Rule = RULE) -> list[AlertState]:
    alert, found = None, []
    for now, finding in looks:
        after = next_alert(rule, alert, finding, now, hush)
        if after is not None:
            alert = after
            found.append(after.state)
    return found


P, F, S, E, R = (
    *(AlertState.PENDING, AlertState.FIRED, AlertState.SILENCED, AlertState.ESCALATED),
    AlertState.RESOLVED,
)


@pytest.mark.parametrize(
    ("looks", "states"),
    [
        ([(0, GOOD), (60, GOOD)], []),
        ([(0, BAD), (30, GOOD)], [P, R]),
        ([(0, BAD), (59, BAD), (60, BAD)], [P, F]),
        ([(0, BAD), (60, UNKNOWN), (61, UNKNOWN)], [P]),
        ([(0, BAD), (60, BAD), (61, UNKNOWN), (900, UNKNOWN)], [P, F]),
        ([(0, BAD), (60, BAD), (159, BAD), (160, BAD), (359, BAD), (360, BAD), (361, GOOD)], [P, F, E, E, R]),
        ([(0, BAD), (60, BAD), (61, GOOD), (62, BAD), (122, BAD)], [P, F, R, P, F]),
    ],
)
def test_the_course_of_an_alert(looks: list[tuple[float, Finding]], states: list[AlertState]) -> None:
    assert course(*looks) == states


def test_a_silence_holds_until_its_end_and_then_it_fires() -> None:
    hush = Hush(200, "ada", "we know")
    assert course((0, BAD), (60, BAD), (199, BAD), (200, BAD), hush=hush) == [P, S, F]
    silenced = next_alert(RULE, Alert("errors", P, 0, 0, 60, ""), BAD, 60, hush)
    assert silenced is not None
    assert "silenced by ada: we know" in silenced.will
    assert course((0, BAD), (60, BAD), (61, BAD), hush=Hush(10, "ada")) == [P, F]


def test_what_is_to_go_back_goes_back_before_anything_is_told_again() -> None:
    rule = replace(RULE, does=Does.ROLLBACK)
    assert course((0, BAD), (60, BAD), (500, BAD), rule=rule) == [P, F]
    fired = next_alert(rule, Alert("errors", P, 0, 0, 60, ""), BAD, 60, None)
    assert fired is not None
    done = acted(fired, "went back", 61)
    lasts = next_alert(rule, done, BAD, 161, None)
    assert lasts is not None
    assert (lasts.state, lasts.did, lasts.topic) == (E, "went back", Topic.PAGE)


def test_nothing_ready_is_no_availability_without_a_single_request() -> None:
    dead = replace(BLUE, slots={"blue": Observation("blue", V1, 2, 0, 100.0)})
    finding = find(BY_NAME["availability"], Scene(dead, None, AnswerTally(), START))
    assert finding == Finding(True, "no replica is ready")
    deleted = find(BY_NAME["availability"], Scene(replace(BLUE, slots={}), None, AnswerTally(), START))
    assert deleted == Finding(True, "what serves was deleted where it stood")
    assert find(BY_NAME["availability"], Scene(BLUE, None, AnswerTally(), START)).bad is None


def test_what_was_pending_when_traffic_went_back_by_hand_is_over_though_nobody_asks() -> None:
    world = holding()
    since = world.now
    world.do(c.Rollback("late"))
    world.run()
    now, rule = world.now + 30, BY_NAME["availability"]
    scene = Scene(BLUE, world.release, AnswerTally(), now, began_at=since)
    pending = Alert(rule.name, AlertState.PENDING, since, since, since + rule.for_s, "no replica is ready")
    found = gone(pending, find(rule, scene), scene)
    assert (found.bad, found.text.split(";")[0]) == (False, f"{world.release.id} was taken back")
    after = next_alert(rule, pending, found, now, None)
    assert after is None or after.state is AlertState.RESOLVED
    # What became true since then goes on.
    later = replace(pending, since=now - 1)
    assert gone(later, find(rule, scene), scene).bad is None
