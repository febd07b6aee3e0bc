"""Why a slot is not of another size: every cause has its sentence, and a slot that is as it should be has none."""

from dataclasses import replace

import pytest

from core.domain.model import Reading, Replica, ReplicaState, Scaled
from core.domain.obstacles import Cause, Obstacle
from core.scaling.facts import ScalingFacts, facts_of
from core.scaling.reasons import explain
from core.scaling.sentences import CALM, WORDS, sentence
from core.state import commands as c, events as ev
from tests.environments import V2, begin, canary_plan
from tests.world import serving


def look(cpu: float | None = 58.0, count: int = 2, *obstacles: Obstacle, **more: object) -> Scaled:
    """An autoscaler between 1 and 4 that holds cpu at 60 %, and keeps its size."""
    plain = Scaled("blue", 100.0, count, count, "", (Reading("cpu", cpu, 60.0),), 1, 4, obstacles=obstacles)
    return replace(plain, **more)  # type: ignore[arg-type]


def facts(seen: Scaled | None, **more: object) -> ScalingFacts:
    """A slot of that size, all ready, and asked for answers."""
    count = seen.after if seen is not None else 2
    plain = ScalingFacts("blue", count, count, look=seen, busy=True)
    return replace(plain, **more)  # type: ignore[arg-type]


def said(found: ScalingFacts) -> list[tuple[Cause, str, bool]]:
    return [(one.cause, one.text, one.calm) for one in explain(found)]


@pytest.mark.parametrize(
    "found",
    [
        facts(look(58.0)),
        facts(look(54.0)),
        facts(look(60.0)),
        facts(look(3.0, 1), busy=False),
        facts(look(65.0), busy=False),
        facts(look(95.0, 2, before=2, after=4)),
    ],
)
def test_a_slot_that_is_as_its_metrics_ask_for_names_none(found: ScalingFacts) -> None:
    assert explain(found) == []


WITHIN = "as many were asked for within the last 5 min"
STARTING, DEAD = (
    Replica("blue-2", ReplicaState.STARTING),
    Replica("blue-3", ReplicaState.BACKOFF, restarts=3, why="out of memory"),
)


@pytest.mark.parametrize(
    ("found", "cause", "text", "calm"),
    [
        (
            facts(look(142.0, 4, Obstacle(Cause.MAXIMUM, "", 10, 4), proposed=10)),
            Cause.MAXIMUM,
            "cpu 142 % of 60 % asks for 10 replicas, the maximum is 4",
            False,
        ),
        (
            facts(look(5.0, 4, Obstacle(Cause.WINDOW, "", 212.0, 300.0), proposed=1), looked_s=12.0),
            Cause.WINDOW,
            f"cpu 5 % of 60 % asks for 1 replica, and 4 stay for 200 s more: {WITHIN}",
            True,
        ),
        (
            facts(look(95.0, 2, Obstacle(Cause.WINDOW, "", 20.0, 60.0), proposed=4)),
            Cause.WINDOW,
            "cpu 95 % of 60 % asks for 4 replicas, and it waits for 20 s more whether that lasts",
            True,
        ),
        (
            facts(look(300.0, 1, Obstacle(Cause.POLICY, "", 5, 4), proposed=5, after=4)),
            Cause.POLICY,
            "cpu 300 % of 60 % asks for 5 replicas, and one step goes from 1 to 4 at most",
            True,
        ),
        (
            facts(look(None, 2, Obstacle(Cause.NO_FIGURE, "cpu"))),
            Cause.NO_FIGURE,
            "no cpu of any ready replica was measured: the size stays at 2",
            False,
        ),
        (
            facts(look(90.0, 3, Obstacle(Cause.CORES, "1000m", 3.0, 2), proposed=3)),
            Cause.CORES,
            "3 replicas of 1000m may use 3 cores, this machine has 2: more of them do no more",
            False,
        ),
        (facts(look(41.0)), Cause.BELOW_TARGET, "cpu 41 % is below its target of 60 %: 2 replicas are enough", True),
        (facts(look(41.0, 1)), Cause.BELOW_TARGET, "cpu 41 % is below its target of 60 %: 1 replica is enough", True),
        (
            facts(look(64.0)),
            Cause.TOLERANCE,
            "cpu 64 % of 60 % is within a tenth of its target: 2 replicas stay",
            True,
        ),
        (
            facts(look(58.0, 3, min=3, max=3)),
            Cause.FIXED,
            "minimum and maximum are both 3: no metric can change that",
            False,
        ),
        (facts(None), Cause.UNSCALED, "no autoscaler has looked at blue so far: it keeps 2 replicas", True),
        (
            facts(look(58.0), ready=1, late=(STARTING,)),
            Cause.NOT_READY,
            "1 of 2 replicas of blue ready: blue-2 starting",
            True,
        ),
        (
            facts(look(58.0, 3), ready=1, late=(STARTING, DEAD)),
            Cause.NOT_READY,
            "1 of 3 replicas of blue ready: blue-3 backoff, out of memory",
            False,
        ),
        (
            facts(None, weight=0.0, held_by="late-7"),
            Cause.HELD,
            "blue has no traffic, and late-7 keeps it at 2 replicas",
            True,
        ),
    ],
)
def test_each_cause_is_one_sentence(found: ScalingFacts, cause: Cause, text: str, calm: bool) -> None:
    assert said(found) == [(cause, text, calm)]
    assert explain(found)[0].todo


def test_what_an_autoscaler_said_of_another_size_is_over_once_somebody_asked_for_this_one() -> None:
    waits = Obstacle(Cause.WINDOW, "", 212.0, 300.0)
    assert explain(facts(look(5.0, 4, waits, proposed=1), wanted=2, ready=2)) == []
    assert explain(facts(look(41.0, 4), wanted=2, ready=2)) == []
    lacks = Obstacle(Cause.NO_FIGURE, "cpu")
    assert [cause for cause, _, _ in said(facts(look(None, 4, lacks), wanted=2, ready=2))] == [Cause.NO_FIGURE]


def test_how_old_figures_are_that_nobody_looks_at_any_more_is_said_unless_it_is_known_why() -> None:
    old = facts(look(58.0), looked_s=245.0)
    assert said(old) == [(Cause.UNREAD, "nobody has looked at it for 4 min, and its figures are of then", True)]
    assert said(replace(old, looked_s=29.0)) == []
    known = facts(look(58.0, 2, Obstacle(Cause.UNREAD, "HTTP 403")), looked_s=245.0)
    assert said(known) == [(Cause.UNREAD, "what its autoscaler does can't be asked: HTTP 403", False)]


def test_a_command_that_is_named_means_the_environment() -> None:
    missing = facts(look(58.0, 2, Obstacle(Cause.MISSING)), environment="prod")
    (reason,) = explain(missing)
    assert reason.todo == "'quarterdeck scale 2 --slot blue --env prod' makes it anew"
    (asleep,) = explain(facts(look(None, 0, Obstacle(Cause.ZERO), min=2), wanted=0, weight=0.0, environment="prod"))
    assert asleep.todo == "'quarterdeck scale 2 --slot blue --env prod' switches it on"


def test_what_somebody_must_act_on_stands_first() -> None:
    found = facts(look(5.0, 4, Obstacle(Cause.WINDOW, "", 9.0, 300.0), proposed=1), ready=3, late=(DEAD,))
    assert [cause for cause, _, _ in said(found)] == [Cause.NOT_READY, Cause.WINDOW]


def test_a_higher_maximum_is_no_advice_where_the_machine_has_no_more_to_give() -> None:
    both = (Obstacle(Cause.MAXIMUM, "", 9, 4), Obstacle(Cause.CORES, "1000m", 4.0, 2))
    assert [cause for cause, _, _ in said(facts(look(95.0, 4, *both, proposed=9)))] == [Cause.CORES]


def test_pods_that_can_not_be_there_are_not_also_said_to_be_late() -> None:
    waits = Obstacle(Cause.UNSCHEDULABLE, "cpu is lacking on 3 of 3 nodes", 1)
    assert [cause for cause, _, _ in said(facts(look(95.0, 2, waits), ready=1))] == [Cause.UNSCHEDULABLE]


@pytest.mark.parametrize("cause", sorted(WORDS.keys() | {Cause.WINDOW}))
def test_every_obstacle_has_its_words_also_where_nothing_more_is_known(cause: Cause) -> None:
    reason = sentence(Obstacle(cause), Scaled("blue", 0.0, 2, 2, ""))
    assert "{" not in reason.text + reason.todo
    assert "None" not in reason.text + reason.todo
    assert reason.calm is (cause in CALM)


def test_every_cause_is_an_obstacle_or_follows_from_the_figures() -> None:
    own = {Cause.FIXED, Cause.NOT_READY, Cause.BELOW_TARGET, Cause.TOLERANCE, Cause.WINDOW}
    assert set(Cause) == set(WORDS) | own


def test_the_facts_of_a_slot_are_those_of_the_snapshot() -> None:
    world = serving()
    world.say(ev.Looked("late", look(41.0, at=world.now - 7)))
    world.measure("blue")
    (one,) = facts_of(world.snapshot, "late", world.now)
    assert (one.slot, one.wanted, one.ready, one.weight, one.busy, one.held_by) == ("blue", 2, 2, 100.0, True, "")
    assert one.look is not None
    assert one.looked_s == pytest.approx(7.0)
    assert not facts_of(world.snapshot, "late", world.now + 60)[0].busy
    assert facts_of(world.snapshot, "nobody", world.now) == ()


def test_a_slot_of_a_release_that_has_no_traffic_yet_is_held_by_it() -> None:
    world = serving()
    world.do(begin(V2, canary_plan()))
    world.run(lambda r: r.index == 1)
    held = {one.slot: one.held_by for one in facts_of(world.snapshot, "late", world.now)}
    assert held == {"blue": "", "green": "r2"}
    world.do(c.Rollback("late"))
    world.run()
    assert {one.held_by for one in facts_of(world.snapshot, "late", world.now)} == {""}


@pytest.mark.parametrize("seen", [look(58.0), None])
def test_a_slot_with_traffic_that_was_scaled_to_nothing_is_said_before_the_next_look(
    seen: Scaled | None,
) -> None:
    found = facts(seen, wanted=0, ready=0)
    assert (Cause.ZERO, "blue was scaled to 0: nobody answers its 100 % of the traffic", False) in said(found)
    assert Cause.ZERO not in {cause for cause, _, _ in said(facts(seen, wanted=0, ready=0, weight=0.0))}
