"""The autoscaler's rule, clause by clause.

Each table row is one clause of the rule in DESIGN: pods, what is remembered, and the decision with its reason.
"""

from dataclasses import dataclass, field

import pytest

from core.domain.model import Reading
from core.domain.obstacles import Cause, Obstacle
from core.targets.local.hpa import Behavior, Decision, Memory, Metric, Pod, Proposal, Rules, Usage, group, look, propose
from core.targets.local.steps import DOWN, UP, Direction, Policy

NOW_S = 10_000.0
OLD_S = NOW_S - 1000
CPU = Metric("cpu", 60, 200)


def pod(cpu_m: float | None = None, **more: object) -> Pod:
    """A pod that has been ready for long and used this much CPU over the last 15 s."""
    usage = {} if cpu_m is None else {"cpu": Usage(cpu_m, NOW_S, 15)}
    fields: dict[str, object] = {"name": "p", "started_s": OLD_S, "ready": True, "turned_s": OLD_S, "usage": usage}
    return Pod(**{**fields, **more})  # type: ignore[arg-type]


def pods(*found: Pod) -> list[Pod]:
    """Pods with names of their own."""
    return [
        Pod(f"p{n}", one.started_s, one.ready, one.turned_s, one.pending, one.leaving, one.usage)
        for n, one in enumerate(found)
    ]


def alike(count: int, cpu_m: float) -> list[Pod]:
    """So many pods that each use this much."""
    return pods(*[pod(cpu_m)] * count)


@dataclass(frozen=True)
class Scene:
    """One look: what is there, what is set, what is remembered."""

    found: list[Pod]
    count: int | None = None
    min: int = 1
    max: int = 10
    metrics: tuple[Metric, ...] = (CPU,)
    behavior: Behavior | None = None
    memory: Memory = field(default_factory=lambda: Memory(((NOW_S - 301, 1),)))

    def look(self) -> Decision:
        """Decide."""
        rules = Rules(self.min, self.max, self.metrics, self.behavior)
        return look(rules, len(self.found) if self.count is None else self.count, self.found, self.memory, NOW_S)


STARTING = pod(None, pending=True, ready=False)
MISSING = pod(None)
COLD = pod(200, started_s=NOW_S - 100, ready=False, turned_s=NOW_S - 100)
JUST_READY = pod(200, started_s=NOW_S - 100, turned_s=NOW_S - 5)
LONG_READY = pod(200, started_s=NOW_S - 100, turned_s=NOW_S - 20)
NEVER_READY = pod(200, started_s=OLD_S, ready=False, turned_s=OLD_S + 10)
ONCE_READY = pod(200, started_s=OLD_S, ready=False, turned_s=OLD_S + 40)
MEMORY = Metric("memory", 50, 100)


def past(*entries: tuple[float, int]) -> Memory:
    """Recommendations so many seconds ago."""
    return Memory(tuple((NOW_S - ago_s, count) for ago_s, count in entries))


def stepped(*entries: tuple[float, int]) -> Memory:
    """Steps so many seconds ago."""
    return Memory(((NOW_S - 301, 1),), tuple((NOW_S - ago_s, change) for ago_s, change in entries))


def policies(way: str, *found: Policy, select: str = "max", window_s: float = 0.0) -> Behavior:
    """A behaviour of one direction, the other as it comes."""
    direction = Direction(window_s, found, select)  # type: ignore[arg-type]
    return Behavior(direction, DOWN) if way == "up" else Behavior(UP, direction)


CLAUSES: dict[str, tuple[Scene, int, str]] = {
    # Clamped first, whatever was measured
    "over the maximum": (Scene(alike(4, 120), max=3), 3, "maximum: 4 is over 3"),
    "over the maximum, nothing measured": (Scene(pods(MISSING, MISSING), max=1), 1, "maximum"),
    "under the minimum": (Scene(alike(1, 120), min=3), 3, "minimum: 1 is under 3"),
    "at zero it is off": (Scene([], min=1), 0, "scaled to zero"),
    # The ratio
    "as wanted": (Scene(alike(3, 120)), 3, "within tolerance"),
    "a tenth over is tolerated": (Scene(alike(3, 132)), 3, "cpu 66 % of 60 %: within tolerance"),
    "a tenth under is tolerated": (Scene(alike(3, 108)), 3, "cpu 54 % of 60 %: within tolerance"),
    "usage is rounded down first": (Scene(alike(3, 133.9)), 3, "cpu 66 % of 60 %"),
    "just over the tolerance": (Scene(alike(3, 134)), 4, "cpu 67 % of 60 %"),
    "just under the tolerance": (Scene(alike(10, 106)), 9, "cpu 53 % of 60 %"),
    "twice as much": (Scene(alike(2, 240)), 4, "cpu 120 % of 60 %"),
    "a part of a pod is a pod": (Scene(alike(3, 140)), 4, "cpu 70 % of 60 %"),
    "idle": (Scene(alike(4, 0)), 1, "minimum 1"),
    "half as much": (Scene(alike(4, 60)), 2, "cpu 30 % of 60 %"),
    # Pods that say nothing
    "leaving pods are in no group": (Scene(pods(*alike(2, 240), pod(0, leaving=True)), count=2), 4, "120 %"),
    "up, unready pods count as idle": (Scene(pods(pod(240), pod(240), STARTING)), 4, "1 not ready"),
    "up, enough are on their way": (Scene(pods(pod(160), STARTING)), 2, "counting these would turn the direction"),
    "up, with those on their way as wanted": (Scene(pods(pod(190), pod(190), STARTING)), 3, "tolerance with these"),
    "down, unready pods count for nothing": (Scene(pods(pod(60), pod(60), STARTING)), 1, "cpu 30 %"),
    "up, missing pods count as idle": (Scene(pods(pod(240), pod(240), MISSING)), 4, "1 missing"),
    "down, missing pods count as full": (Scene(pods(pod(0), pod(0), pod(0), MISSING)), 2, "1 missing"),
    "down, missing pods would turn it": (Scene(pods(pod(100), MISSING)), 2, "would turn the direction"),
    "down, missing pods as wanted": (Scene(pods(pod(60), pod(60), pod(60), MISSING, MISSING)), 5, "within tolerance"),
    "down, over 100 % missing count as the target": (
        Scene(pods(pod(100), pod(100), MISSING, MISSING), metrics=(Metric("cpu", 150, 200),)),
        3,
        "2 missing",
    ),
    "exactly as wanted, missing pods change nothing": (Scene(pods(pod(120), MISSING)), 2, "within tolerance"),
    "nobody was measured": (Scene(pods(MISSING, STARTING)), 2, "no metric: no cpu of any ready replica"),
    "no metric is set": (Scene(alike(2, 500), metrics=()), 2, "no metric"),
    # Young pods
    "not ready and young: left out": (Scene(pods(pod(60), COLD)), 1, "cpu 30 %"),
    "ready after its sample's window began: left out": (Scene(pods(pod(60), JUST_READY)), 1, "cpu 30 %"),
    "ready before its sample's window began: counts": (Scene(pods(pod(60), LONG_READY)), 2, "cpu 65 %"),
    "old and never ready: left out": (Scene(pods(pod(60), NEVER_READY)), 1, "cpu 30 %"),
    "old and once ready: counts": (Scene(pods(pod(60), ONCE_READY)), 2, "cpu 65 % of 60 %: within tolerance"),
    # Several metrics
    "the largest of several": (
        Scene(pods(*[pod(usage={"cpu": Usage(60, NOW_S, 15), "memory": Usage(100, NOW_S, 15)})] * 2),
              metrics=(CPU, MEMORY)), 4, "memory 100 % of 50 %"),
    "up though one failed": (Scene(alike(2, 240), metrics=(MEMORY, CPU)), 4, "cpu 120 %"),
    "never down when one failed": (Scene(alike(4, 60), metrics=(MEMORY, CPU)), 4, "never down without it"),
    "a young pod's memory counts": (
        Scene(pods(pod(started_s=NOW_S - 5, turned_s=NOW_S - 1, usage={"memory": Usage(100, NOW_S, 15)})),
              metrics=(MEMORY,)), 2, "memory 100 %"),
    # The window of past recommendations
    "down, the highest of 300 s": (Scene(alike(6, 40), memory=past((200, 5), (100, 3))), 5, "window: 5 within 300 s"),
    "down, older than 300 s is forgotten": (Scene(alike(6, 40), memory=past((301, 6), (100, 3))), 3, "window: 3"),
    "at the first look the present size counts": (Scene(alike(4, 60), memory=Memory()), 4, "window: 4"),
    "up has no window": (Scene(alike(2, 240), memory=past((10, 2))), 4, "cpu 120 %"),
    "an earlier, higher wish is made up for": (Scene(alike(4, 120), memory=past((15, 7))), 7, "window: 7"),
    # Steps
    "up, at most four from one": (Scene(alike(1, 2000)), 4, "policy: at most 4 from 1"),
    "up, at most twice as many": (Scene(alike(5, 2000), max=100), 10, "policy: at most 10 from 5"),
    "policy, then maximum": (Scene(alike(5, 2000), max=8), 8, "maximum 8"),
    "minimum": (Scene(alike(4, 0), min=2), 2, "minimum 2"),
    "maximum": (Scene(alike(4, 240), max=6), 6, "maximum 6"),
    # What is written under `behavior`
    "up by pods a period": (
        Scene(alike(2, 600), behavior=policies("up", Policy("pods", 1, 60))), 3, "policy: up to 3"),
    "up by percent a period": (
        Scene(alike(3, 600), behavior=policies("up", Policy("percent", 50, 60))), 5, "policy: up to 5"),
    "up, what the period has used is used": (
        Scene(alike(4, 600), behavior=policies("up", Policy("pods", 3, 60)), memory=stepped((30, 2))), 5, "up to 5"),
    "up, the period is over": (
        Scene(alike(4, 600), behavior=policies("up", Policy("pods", 3, 60)), memory=stepped((61, 2))), 7, "up to 7"),
    "up, more than allowed was used": (
        Scene(alike(6, 600), behavior=policies("up", Policy("pods", 1, 60)), memory=stepped((30, 4))), 6, "up to 6"),
    "up, the larger of two": (
        Scene(alike(2, 600), behavior=policies("up", Policy("pods", 1, 60), Policy("percent", 150, 60))), 5, "to 5"),
    "up, the smaller of two": (
        Scene(alike(2, 600),
              behavior=policies("up", Policy("pods", 1, 60), Policy("percent", 150, 60), select="min")), 3, "to 3"),
    "up is off": (
        Scene(alike(2, 600), behavior=policies("up", Policy("pods", 9, 60), select="disabled")), 2, "up to 2"),
    "up, the lowest of its window": (
        Scene(alike(2, 600), behavior=policies("up", Policy("pods", 9, 60), window_s=60), memory=past((30, 3))),
        3, "window: 3 within 60 s"),
    "up, no lower than now": (
        Scene(alike(4, 600), behavior=policies("up", Policy("pods", 9, 60), window_s=60), memory=past((30, 3))),
        4, "window: 4"),
    "down by pods a period": (
        Scene(alike(8, 0), behavior=policies("down", Policy("pods", 2, 60))), 6, "policy: down to 6"),
    "down by percent a period": (
        Scene(alike(8, 0), behavior=policies("down", Policy("percent", 10, 60))), 7, "policy: down to 7"),
    "down, what the period has used is used": (
        Scene(alike(8, 0), behavior=policies("down", Policy("pods", 3, 60)), memory=stepped((30, -2))), 7, "to 7"),
    "down, the larger change of two": (
        Scene(alike(8, 0), behavior=policies("down", Policy("pods", 1, 60), Policy("percent", 50, 60))), 4, "to 4"),
    "down, the smaller change of two": (
        Scene(alike(8, 0),
              behavior=policies("down", Policy("pods", 1, 60), Policy("percent", 50, 60), select="min")), 7, "to 7"),
    "down is off": (Scene(alike(8, 0), behavior=policies("down", select="disabled")), 8, "down to 8"),
    "down, a window of its own": (
        Scene(alike(8, 0), behavior=policies("down", Policy("percent", 100, 15), window_s=60),
              memory=past((100, 7), (30, 4))), 4, "window: 4 within 60 s"),
    "as wanted, with behaviour": (Scene(alike(3, 120), behavior=Behavior()), 3, "within tolerance"),
    "defaults, up": (Scene(alike(1, 2000), behavior=Behavior()), 5, "up to 5"),
}  # fmt: skip


@pytest.mark.parametrize(("scene", "after", "reason"), CLAUSES.values(), ids=CLAUSES.keys())
def test_every_clause_of_the_rule(scene: Scene, after: int, reason: str) -> None:
    decision = scene.look()
    assert (decision.after, reason in decision.reason) == (after, True), decision


NO_CPU = "no cpu of any ready replica was measured"
NO_MEMORY = "no memory of any ready replica was measured"
EARLIER = Memory(((NOW_S - 301, 1),))


def cpu(value: float | None) -> Reading:
    """What was read of the CPU."""
    return Reading("cpu", value, 60)


@pytest.mark.parametrize(
    ("clause", "after", "reason", "readings", "memory"),
    [
        ("at zero it is off", 0, "scaled to zero: autoscaling is off", (), EARLIER),
        ("over the maximum", 3, "maximum: 4 is over 3", (cpu(60.0),), stepped((0, -1))),
        ("under the minimum", 3, "minimum: 1 is under 3", (cpu(60.0),), stepped((0, 2))),
        ("nobody was measured", 2, f"no metric: {NO_CPU}", (cpu(None),), EARLIER),
        ("no metric is set", 2, "no metric: no metric is set", (), EARLIER),
        (
            "never down when one failed",
            4,
            f"no metric: {NO_MEMORY}; never down without it",
            (Reading("memory", None, 50), cpu(30.0)),
            EARLIER,
        ),
        ("as wanted", 3, "cpu 60 % of 60 %: within tolerance", (cpu(60.0),), past((0, 3))),
        ("just over the tolerance", 4, "cpu 67 % of 60 %", (cpu(67.0),), Memory(((NOW_S, 4),), ((NOW_S, 1),))),
        (
            "up, at most four from one",
            4,
            "cpu 1000 % of 60 %; policy: at most 4 from 1 in one step",
            (cpu(1000.0),),
            Memory(((NOW_S, 17),), ((NOW_S, 3),)),
        ),
        (
            "up, with those on their way as wanted",
            3,
            "cpu 95 % of 60 %, 0 missing, 1 not ready: within tolerance with these counted",
            (cpu(95.0),),
            past((0, 3)),
        ),
        (
            "down, missing pods would turn it",
            2,
            "cpu 50 % of 60 %, 1 missing, 0 not ready: counting these would turn the direction",
            (cpu(50.0),),
            past((0, 2)),
        ),
        (
            "down, missing pods count as full",
            2,
            "cpu 0 % of 60 %, 1 missing, 0 not ready",
            (cpu(0.0),),
            Memory(((NOW_S, 2),), ((NOW_S, -2),)),
        ),
    ],
)
def test_a_decision_is_given_with_its_reason_what_was_read_and_what_to_remember(
    clause: str, after: int, reason: str, readings: tuple[Reading, ...], memory: Memory
) -> None:
    decided = CLAUSES[clause][0].look()
    assert (decided.after, decided.reason, decided.readings, decided.memory) == (after, reason, readings, memory)


DOWN_30 = Behavior(UP, Direction(30.0, DOWN.policies))


@pytest.mark.parametrize(
    ("scene", "proposed", "obstacles"),
    [
        (Scene(alike(2, 120)), 2, ()),
        (Scene(alike(2, 200)), 4, ()),
        (Scene(alike(8, 200)), 14, (Obstacle(Cause.MAXIMUM, "", 14, 10),)),
        (Scene(alike(1, 1000), max=20), 9, (Obstacle(Cause.POLICY, "", 9, 4),)),
        # Ten seconds ago four were asked for: they stay for 290 s more.
        (
            Scene(alike(4, 20), memory=Memory(((NOW_S - 100, 4), (NOW_S - 10, 4), (NOW_S - 5, 2)))),
            1,
            (Obstacle(Cause.WINDOW, "", 290.0, 300.0),),
        ),
        (
            Scene(alike(4, 20), behavior=DOWN_30, memory=Memory(((NOW_S - 10, 4),))),
            1,
            (Obstacle(Cause.WINDOW, "", 20.0, 30.0),),
        ),
        # A window that changes nothing, for fewer than the minimum are never there, is in nobody's way.
        (Scene(alike(2, 2), min=2, memory=Memory(((NOW_S - 10, 2),))), 1, ()),
        (Scene(pods(MISSING)), None, (Obstacle(Cause.NO_FIGURE, "cpu"),)),
        (Scene([], count=0), None, (Obstacle(Cause.ZERO),)),
        (Scene(alike(12, 120)), None, ()),
    ],
)
def test_what_is_in_the_way_is_told_with_its_figures(
    scene: Scene, proposed: int | None, obstacles: tuple[Obstacle, ...]
) -> None:
    decided = scene.look()
    assert (decided.proposed, decided.obstacles) == (proposed, obstacles)


def test_every_metric_that_failed_is_named() -> None:
    assert Scene(pods(MISSING), metrics=(CPU, MEMORY)).look().reason == f"no metric: {NO_CPU}; {NO_MEMORY}"


def test_a_metric_that_failed_hides_none_that_keeps_the_size() -> None:
    assert Scene(alike(3, 120), metrics=(MEMORY, CPU)).look().reason == "cpu 60 % of 60 %: within tolerance"


def test_one_replica_is_more_than_none() -> None:
    usage = {"cpu": Usage(0, NOW_S, 15), "memory": Usage(10, NOW_S, 15)}
    scene = Scene(pods(*[pod(usage=usage)] * 2), metrics=(CPU, MEMORY))
    assert scene.look().reason == "memory 10 % of 50 %"


ZERO = pod(0)


@pytest.mark.parametrize(
    ("metric", "now_n", "found", "replicas", "said"),
    [
        # What guesses weigh: a missing pod all of its request on the way down, nothing on the way up.
        (Metric("cpu", 100, 200), 200, pods(*[ZERO] * 29, *[MISSING] * 171), 170, ""),
        (Metric("cpu", 33, 200), 2, pods(pod(399.5), MISSING), 6, ""),
        (Metric("cpu", 33, 200), 2, pods(pod(399.5), STARTING), 6, ""),
        (CPU, 3, pods(pod(180), pod(180), MISSING), 3, "within tolerance with these counted"),
        # At the target itself nobody needs to guess.
        (CPU, 2, pods(pod(120), STARTING), 2, "within tolerance"),
        # More or fewer pods than were counted: the direction holds all the same.
        (CPU, 1, pods(*[ZERO] * 4, MISSING), 1, "counting these would turn the direction"),
        (CPU, 2, pods(*[ZERO] * 4, MISSING), 2, ""),
        (CPU, 10, pods(pod(240), pod(240), MISSING), 10, "counting these would turn the direction"),
        (CPU, 4, pods(pod(240), pod(240), MISSING), 4, ""),
    ],
)
def test_what_one_metric_proposes(metric: Metric, now_n: int, found: list[Pod], replicas: int, said: str) -> None:
    proposal = propose(metric, now_n, found, NOW_S)
    used = [one.usage["cpu"].value for one in found if one.usage]
    percent = int(100 * sum(used) / (200 * len(used)))
    missing, unready = (sum(1 for one in found if not one.usage and one.pending is wanted) for wanted in (False, True))
    counted = "" if said == "within tolerance" else f", {missing} missing, {unready} not ready"
    text = f"cpu {percent} % of {metric.target:g} %{counted}{': ' if said else ''}{said}"
    assert proposal == Proposal(Reading("cpu", float(percent), metric.target), replicas, text)


@pytest.mark.parametrize(
    ("one", "where"),
    [
        (pod(60, leaving=True), ""),
        (STARTING, "unready"),
        (MISSING, "missing"),
        (pod(60, started_s=NOW_S - 299.9, ready=False, turned_s=NOW_S - 200), "unready"),
        (pod(60, started_s=NOW_S - 300, ready=False, turned_s=NOW_S - 200), "measured"),
        (pod(60, started_s=NOW_S - 100, turned_s=NOW_S - 15), "measured"),
        (pod(60, started_s=NOW_S - 100, turned_s=NOW_S - 14.9), "unready"),
        (pod(60, started_s=OLD_S, ready=False, turned_s=OLD_S + 30), "measured"),
        (pod(60, started_s=OLD_S, ready=False, turned_s=OLD_S + 29.9), "unready"),
    ],
)
def test_what_a_pod_says_of_its_traffic(one: Pod, where: str) -> None:
    found = group(CPU, pods(one, pod(60)), NOW_S)
    groups = {"measured": tuple(found.measured), "unready": found.unready, "missing": found.missing}
    assert [name for name, names in groups.items() if "p0" in names] == ([where] if where else [])
    assert "p1" in found.measured


def test_a_decision_shows_every_metric_beside_its_target() -> None:
    decision = Scene(alike(2, 100), metrics=(CPU, MEMORY)).look()
    assert decision.readings == (Reading("cpu", 50.0, 60), Reading("memory", None, 50))


def test_a_faster_clock_shortens_every_time() -> None:
    memory = Memory(((NOW_S - 50, 5), (NOW_S - 30, 3)))
    slow = look(Rules(1, 10, (CPU,)), 6, alike(6, 0), memory, NOW_S)
    fast = look(Rules(1, 10, (CPU,), clock=7.5), 6, alike(6, 0), memory, NOW_S)
    assert (slow.after, fast.after) == (5, 3)
    assert "within 40 s" in fast.reason
    young = pods(pod(60, started_s=NOW_S - 50, ready=False, turned_s=NOW_S - 40))
    assert group(CPU, young, NOW_S).unready == ("p0",)
    assert group(CPU, young, NOW_S, clock=7.5).unready == ()


def test_memory_forgets_what_no_rule_asks_for() -> None:
    memory = Memory(((NOW_S - 400, 9), (NOW_S - 10, 2)), ((NOW_S - 400, 1), (NOW_S - 10, 1)))
    kept = Scene(alike(2, 120), memory=memory).look().memory
    assert kept.recommended == ((NOW_S - 10, 2), (NOW_S, 2))
    assert kept.steps == ((NOW_S - 10, 1),)


def test_a_step_is_remembered_for_the_policies() -> None:
    assert Scene(alike(2, 240)).look().memory.steps == ((NOW_S, 2),)


def test_behavior_survives_json() -> None:
    behavior = policies("up", Policy("pods", 1, 60), select="min", window_s=5)
    plain = {
        way: {
            "window_s": one.window_s,
            "policies": [{"kind": p.kind, "value": p.value, "period_s": p.period_s} for p in one.policies],
            "select": one.select,
        }
        for way, one in (("up", behavior.up), ("down", behavior.down))
    }
    assert Behavior.from_json(plain) == behavior
