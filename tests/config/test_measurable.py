"""Gates that nobody can measure refuse a plan; those that may find too little are said with it."""

from pathlib import Path

import pytest

from core.config.config import endpoint_name
from core.config.measurable import hardly_measured
from core.config.planner import Wishes, plan_of
from core.config.settings import Settings
from core.domain.errors import BadInput
from core.domain.gates import DIFFERING
from core.domain.model import Observation
from core.domain.plan import Ask, Hold, Plan
from core.domain.sample import Sample
from core.state import events as ev
from core.state.fold import fold_all
from core.state.snapshot import Snapshot
from tests.config.test_planner import settings
from tests.environments import V1
from tests.targets import azureml_scenes, kubernetes_scenes
from tui.plan_command import planned
from tui.real_weights import users_a_s

PAIRS = {"metric": DIFFERING, "op": "<=", "limit": 5}
MANY = {"metric": "mean_ms", "limit": 50, "at_least": 100_000}
COPIES = ["mirror 20", "hold 1m", "shift 10", "hold 1m", "ask 'all?'", "shift 100", "hold 1m"]


def released(given: Settings, first: bool = False) -> Plan:
    return plan_of(given, first, Wishes(version=None), False)


def test_a_gate_on_copies_is_asked_while_requests_are_copied_alone() -> None:
    plan = released(settings(approve="nobody", release={"plan": COPIES, "more_gates": [PAIRS]}))
    asked = [
        any(gate.metric == DIFFERING for gate in step.gates) for step in plan.steps if isinstance(step, Hold | Ask)
    ]
    assert asked == [True, False, False, False]


@pytest.mark.parametrize(
    ("release", "why"),
    [
        (
            {"more_gates": [PAIRS]},
            r"^dev: release\.gates: differing_percent: this plan copies no request, ",
        ),
        ({"strategy": "shadow", "more_gates": [{**PAIRS, "against": "live"}]}, "take 'against: live' out"),
        ({"strategy": "shadow", "more_gates": [PAIRS]}, ""),
        ({"more_gates": [{**PAIRS, "dry_run": True}]}, ""),
        # Nothing is held, so nothing is asked; the plan says that of all gates.
        ({"strategy": "all-at-once", "more_gates": [PAIRS]}, ""),
    ],
)
def test_a_gate_that_can_never_be_measured_refuses_the_plan(release: dict[str, object], why: str) -> None:
    given = settings(release=release)
    if why:
        with pytest.raises(BadInput, match=why):
            released(given)
    else:
        assert released(given).steps
    assert released(given, first=True).steps


def test_the_plan_of_a_first_version_says_that_the_next_one_would_be_refused() -> None:
    given = settings(release={"more_gates": [PAIRS]})
    assert planned(given, Snapshot(), Wishes())[1][-1].startswith(
        "the next one: would be refused: dev: release.gates: "
    )


@pytest.mark.parametrize(
    ("gate", "why"),
    [
        ({"metric": "restarts", "limit": 3}, "restarts: Azure ML does not tell it of a deployment"),
        ({"metric": "memory_percent", "limit": 80}, "memory_percent: Azure ML does not tell it"),
        ({"metric": "mix_points", "limit": 5, "against": "live"}, "mix_points: Azure ML does not tell it"),
        ({"metric": "availability_percent", "op": ">=", "limit": 99}, ""),
    ],
)
def test_on_azure_ml_no_gate_is_asked_of_what_containers_know(tmp_path: Path, gate: object, why: str) -> None:
    given = azureml_scenes.settings_of(tmp_path, release={"more_gates": [gate]})
    if why:
        with pytest.raises(BadInput, match=why):
            released(given)
    else:
        assert released(given).steps


def test_on_azure_ml_a_copy_can_not_be_judged(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="says nothing of the answers to copies: no gate can judge a copy there"):
        released(azureml_scenes.settings_of(tmp_path, release={"strategy": "shadow"}))


def test_on_azure_ml_a_plan_by_hand_copies_and_judges_nothing_meanwhile(tmp_path: Path) -> None:
    """What it would be judged by is asked again once users get a share of their own."""
    given = azureml_scenes.settings_of(tmp_path, release={"plan": COPIES, "warm_up_s": 5.0})
    gates = [bool(step.gates) for step in released(given).steps if isinstance(step, Hold | Ask)]
    assert gates == [False, False, False, True, True, True]
    snapshot = fold_all(
        [ev.Event(1, 1.0, "watch", ev.Observed(endpoint_name(given), Observation("blue", V1, 1, 1, 100.0)))]
    )
    _, lines = planned(given, snapshot, Wishes())
    said = "\n".join(lines)
    assert "a copy of 20 % of the requests, answered to nobody; nothing that comes of it is judged" in said
    assert "a copy is judged by nothing: Azure ML says nothing of the answers to copies; look at the slot" in said


def test_behind_a_gateway_nobody_has_two_answers_to_one_request(tmp_path: Path) -> None:
    gateway = {"traffic": "gateway", "gateway": {"name": "front", "namespace": "infra"}}
    release = {"strategy": "shadow", "more_gates": [PAIRS]}
    given = kubernetes_scenes.settings_of(tmp_path, gateway, release=release)
    with pytest.raises(BadInput, match="a gateway throws the answers to copies away; ask mix_points against live"):
        released(given)


@pytest.mark.parametrize(
    ("release", "said"),
    [
        ({}, []),
        (
            {"more_gates": [{"metric": "mean_ms", "limit": 50, "at_least": 100_000}]},
            ["mean wants 100,000 requests: of 10"],
        ),
        ({"more_gates": [{"metric": "mean_ms", "limit": 50, "at_least": 100_000, "dry_run": True}]}, []),
        ({"background": {"users": 0}, "more_gates": [{"metric": "rps", "limit": 50, "at_least": 100_000}]}, []),
        (
            {
                "hold_s": 10,
                "steps": [1, 100],
                "background": {"users": 1},
                "gates": [
                    {"metric": "failed_percent", "limit": 5},
                    {"metric": "p95_ms", "limit": 900},
                    {"metric": "p50_ms", "limit": 900, "window_s": 5},
                ],
            },
            [
                "errors, p95 want 20 requests: of 1 background user 2 at the most come to 1 % in 40 s; lower their",
                "p50 wants 20 requests: of 1 background user 0 at the most come to 1 % in 5 s; lower its at_least",
            ],
        ),
        # Against live the side that gets less counts.
        (
            {
                "hold_s": 10,
                "steps": [99, 100],
                "background": {"users": 1},
                "gates": [
                    {"metric": "failed_percent", "limit": 5, "against": "live"},
                    {"metric": "p95_ms", "limit": 900},
                ],
            },
            ["errors : live wants 20 requests: of 1 background user 2 at the most come to 1 %"],
        ),
    ],
)
def test_a_gate_that_may_find_too_little_is_said_with_what_to_set(release: dict[str, object], said: list[str]) -> None:
    given = settings(release=release)
    lines = [line.removeprefix("release.gates: ") for line in hardly_measured(released(given), given)]
    assert len(lines) == len(said)
    assert all(line.startswith(one) for line, one in zip(lines, said, strict=True)), lines


@pytest.mark.parametrize(
    ("background", "users_a_s", "said"),
    [
        (10, 0.0, "mean wants 100,000 requests: of 10 background users 3,150 at the most come to 10 %"),
        (10, 20.0, "mean wants 100,000 requests: of 10 background users and users' own 20 requests a second 4,410 "),
        (0, 20.0, "mean wants 100,000 requests: of users' own 20 requests a second 1,260 at the most come to 10 %"),
        (0, 2000.0, ""),
        (0, 0.0, ""),
    ],
)
def test_what_users_ask_now_counts_too(background: int, users_a_s: float, said: str) -> None:
    given = settings(release={"more_gates": [MANY], "background": {"users": background}})
    lines = list(hardly_measured(released(given), given, users_a_s))
    assert [line.removeprefix("release.gates: ").startswith(said) for line in lines] == ([True] if said else [])


def test_what_a_load_asks_is_no_users_doing() -> None:
    slots = (Observation("blue", V1, 1, 1, 100.0),)
    bodies: list[ev.Body] = [
        *(ev.Observed("late", one) for one in slots),
        *(
            ev.Sampled("late", Sample(slot, 100.0 + at, ok))
            for at in range(60)
            for slot, ok in (("blue", 7), (None, 5))
        ),
    ]
    snapshot = fold_all(ev.Event(at, 160.0, "watch", body) for at, body in enumerate(bodies, 1))
    assert users_a_s(snapshot, "late") == pytest.approx(2.0, rel=0.05)
    assert users_a_s(Snapshot(), "late") == 0.0
