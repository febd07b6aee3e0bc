"""From settings and flags to a release."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from core.config.planner import Wishes, background_profile, checked, limits_of, load_profile, plan_of, release_of
from core.config.settings import Settings
from core.domain.errors import BadInput
from core.domain.plan import Ask, Deploy, Hold, Load, Shift, Work, title
from tests.environments import V2

NOW = datetime(2026, 11, 21, 10, 30, 5, tzinfo=UTC)


def settings(**more: object) -> Settings:
    said = {"folder": Path("/tmp"), "data": {"source": "iris", "target": "species"}, "endpoint": {"name": "late"}}  # noqa: S108
    return Settings.model_validate({**said, **more})


def stages(wishes: Wishes, first: bool = False, fetched: bool = False, **more: object) -> str:
    return " ".join(title(step).replace(" ", "-") for step in plan_of(settings(**more), first, wishes, fetched).steps)


WORK = "data preprocess train evaluate gate register check"
HELD = "traffic hold traffic hold traffic hold"
END = "alias load-test retire summarise"


@pytest.mark.parametrize(
    ("given", "walked"),
    [
        ({"wishes": Wishes()}, f"{WORK} deploy smoke {HELD} {END}"),
        ({"wishes": Wishes(), "first": True}, f"{WORK} deploy smoke traffic {END}"),
        ({"wishes": Wishes(), "release": {"strategy": "blue-green"}}, f"{WORK} deploy smoke ask traffic hold {END}"),
        (
            {"wishes": Wishes(), "approve": "nobody", "release": {"strategy": "blue-green"}},
            f"{WORK} deploy smoke traffic hold {END}",
        ),
        ({"wishes": Wishes(), "release": {"strategy": "gradual-blue-green"}}, f"{WORK} deploy smoke ask {HELD} {END}"),
        ({"wishes": Wishes(), "release": {"strategy": "shadow"}}, f"{WORK} deploy smoke mirror hold {HELD} {END}"),
        (
            {"wishes": Wishes(), "release": {"strategy": "ab"}},
            f"{WORK} deploy smoke traffic hold ask traffic hold {END}",
        ),
        (
            {"wishes": Wishes(), "release": {"warm_up_s": "5s"}},
            f"{WORK} deploy smoke {HELD.replace('hold', 'warm-up hold', 1)} {END}",
        ),
        (
            {"wishes": Wishes(), "release": {"strategy": "shadow", "warm_up_s": 5.0}},
            f"{WORK} deploy smoke mirror warm-up hold {HELD} {END}",
        ),
        ({"wishes": Wishes(), "first": True, "release": {"warm_up_s": 5.0}}, f"{WORK} deploy smoke traffic {END}"),
        ({"wishes": Wishes(), "approve": "ci"}, f"{WORK} deploy smoke ask {HELD} {END}"),
        (
            {"wishes": Wishes(), "release": {"retire_after_s": "never"}},
            f"{WORK} deploy smoke {HELD} alias load-test summarise",
        ),
        (
            {"wishes": Wishes(), "release": {"plan": ["mirror 20", "hold 5m", "shift 10", "hold 90s", "shift 100"]}},
            f"{WORK} deploy mirror hold traffic hold traffic {END}",
        ),
        (
            {"wishes": Wishes(), "approve": "person", "release": {"plan": ["smoke", "shift 10", "shift 100"]}},
            f"{WORK} deploy smoke ask traffic traffic {END}",
        ),
        (
            {"wishes": Wishes(), "approve": "person", "release": {"plan": ["ask 'who?'", "shift 100", "hold 1m"]}},
            f"{WORK} deploy ask traffic hold {END}",
        ),
        (
            {"wishes": Wishes(), "first": True, "release": {"plan": ["shift 50", "ask 'who?'", "shift 100"]}},
            f"{WORK} deploy smoke ask traffic {END}",
        ),
        ({"wishes": Wishes(), "release": {"strategy": "all-at-once"}}, f"{WORK} deploy smoke traffic {END}"),
        ({"wishes": Wishes(skip=("load",))}, f"{WORK} deploy smoke {HELD} alias retire summarise"),
        ({"wishes": Wishes(skip=("deploy",))}, f"{WORK} summarise"),
        (
            {"wishes": Wishes(skip=("train",)), "fetched": True},
            f"fetch data evaluate gate check deploy smoke {HELD} {END}",
        ),
        (
            {"wishes": Wishes(skip=("train", "check")), "fetched": True},
            f"fetch data evaluate gate deploy smoke {HELD} {END}",
        ),
        ({"wishes": Wishes(version=V2)}, f"deploy smoke {HELD} {END}"),
    ],
)
def test_flags_and_settings_decide_the_stages(given: dict[str, object], walked: str) -> None:
    assert stages(**given) == walked  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (["shift 10", "hold 1m"], "does not come to all traffic"),
        (["shift 50", "shift 10", "shift 100"], "shares rise; 50 → 10 → 100 does not"),
        (["shift 10", "mirror 20", "shift 100"], "'mirror 20' stands after a shift"),
        (["shift 10", "smoke", "shift 100"], "'smoke' tries the slot before it gets any request"),
        (["hold 5m", "shift 100"], "'hold 300s' comes before any request"),
    ],
)
def test_a_written_plan_that_makes_no_release_is_refused(lines: list[str], why: str) -> None:
    with pytest.raises(BadInput, match=f"release.plan: .*{why}"):
        plan_of(settings(release={"plan": lines}), False, Wishes(), False)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("shfit 10", "no step begins with it; one of smoke, mirror, shift, hold, ask; did you mean shift"),
        ("shift", "takes a share of the requests in percent"),
        ("shift 101", "takes more than 0 and at most 100 percent"),
        ("mirror 60%", "at most 50 percent"),
        ("hold forever", "takes a time, such as 'hold 10m'"),
        ("hold 1ms", "takes at least 1 s, or nothing is judged"),
        ("hold 9999999999d", "at most 366 d"),
        ("smoke 12", "takes nothing"),
    ],
)
def test_a_line_that_is_no_step_is_told(line: str, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        settings(release={"plan": [line, "shift 100"]})


@pytest.mark.parametrize(
    ("release", "kept_s"),
    [
        ({}, 0.0),
        ({"strategy": "blue-green"}, 86400.0),
        ({"strategy": "blue-green", "retire_after_s": "2h"}, 7200.0),
        ({"retire_after_s": "never"}, None),
    ],
)
def test_what_served_before_is_kept_by_strategy(release: dict[str, object], kept_s: float | None) -> None:
    assert settings(release=release).release.kept_s == kept_s


def test_a_release_is_named_after_its_endpoint_and_its_moment() -> None:
    begin = release_of(settings(), False, Wishes(auto_approve=True, step_by_step=True, ask_s=0.0), NOW)
    assert begin.release == "late-dev-20261121-103005"
    assert (begin.endpoint, begin.environment, begin.production) == ("late-dev", "dev", False)
    assert (begin.auto_approve, begin.step_by_step, begin.ask_s) == (True, True, 0.0)
    assert Settings.from_dump(str(begin.options["settings"])) == settings()
    assert "fetch" not in begin.options
    assert release_of(settings(), False, Wishes()).release.startswith("late-dev-2")


@pytest.mark.parametrize(
    ("wishes", "uri"),
    [
        (Wishes(skip=("train",)), "models:/late@candidate"),
        (Wishes(model_uri="models:/other@production"), "models:/other@production"),
    ],
)
def test_a_model_that_exists_is_fetched_instead_of_trained(wishes: Wishes, uri: str) -> None:
    begin = release_of(settings(), False, wishes, NOW)
    assert begin.options["fetch"] == {"uri": uri}
    assert begin.plan.steps[0] == Work("fetch")


@pytest.mark.parametrize(
    ("endpoint", "replicas"),
    [
        ({"replicas": 3}, 3),
        ({"replicas": 1, "autoscaling": {"min": 2, "max": 4, "cpu": 70}}, 2),
        ({"replicas": 9, "autoscaling": {"min": 2, "max": 4, "cpu": 70}}, 4),
    ],
)
def test_replicas_lie_where_the_autoscaler_may_put_them(endpoint: dict[str, object], replicas: int) -> None:
    plan = plan_of(settings(endpoint={"name": "late", "ready_deadline_s": 30, **endpoint}), True, Wishes(), False)
    assert next(step for step in plan.steps if isinstance(step, Deploy)) == Deploy(replicas, 40.0)


def test_holds_and_limits_are_as_the_project_says() -> None:
    said = settings(
        release={"steps": [25, 100], "hold_s": 7, "gates": [{"metric": "p95_ms", "limit": 50}]},
        load={"users": 9, "limits": {"p95_ms": 80}},
    )
    plan = plan_of(said, False, Wishes(), False)
    assert [step.percent for step in plan.steps if isinstance(step, Shift)] == [25, 100]
    hold = next(step for step in plan.steps if isinstance(step, Hold))
    assert (hold.seconds, [(g.metric, g.limit) for g in hold.gates]) == (7, [("p95_ms", 50)])
    load = next(step for step in plan.steps if isinstance(step, Load))
    assert (load.profile.users, load.gates) == (9, limits_of(said))
    assert {gate.metric: gate.limit for gate in limits_of(said)} == {
        "failed_percent": 1.0, "p50_ms": 500.0, "p95_ms": 80.0,
    }  # fmt: skip


def test_load_comes_from_the_profile_unless_the_project_says_otherwise() -> None:
    assert load_profile(settings()).users == 50
    assert load_profile(settings(load={"users": 7})).users == 7
    background = background_profile(settings())
    assert background is not None
    assert (background.users, background.duration_s) == (10, None)
    assert background_profile(settings(release={"background": {"users": 0}})) is None


def test_only_what_can_be_skipped_is() -> None:
    assert checked(["train", "load"]) == ("train", "load")
    with pytest.raises(BadInput, match=r"--skip trian: only .* can be skipped; did you mean train"):
        checked(["trian"])
    with pytest.raises(BadInput, match=r"can be skipped$"):
        checked(["xyzzy"])


@pytest.mark.parametrize(
    ("wishes", "approve", "beforehand"),
    [
        (Wishes(confirmed=True), None, False),
        (Wishes(auto_approve=True), None, True),
        (Wishes(confirmed=True), "ci", True),
    ],
)
def test_which_side_of_an_experiment_is_better_no_name_of_an_environment_says(
    wishes: Wishes, approve: str | None, beforehand: bool
) -> None:
    plan = release_of(settings(release={"strategy": "ab"}, approve=approve), False, wishes, NOW).plan
    *_, last = (step for step in plan.steps if isinstance(step, Ask))
    assert last.beforehand is beforehand
