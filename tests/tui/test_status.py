"""What `quarterdeck status` says of the project's registry."""

import contextlib
from pathlib import Path

import pytest

from core.config.planner import Wishes, release_of
from core.config.scaffold import init
from core.domain.model import Contact, Observation, Replica, ReplicaState, Scaled, Version
from core.domain.obstacles import Cause, Obstacle
from core.domain.plan import Ask, Plan
from core.domain.sample import Sample
from core.engine import shell_variables
from core.engine.project import Project
from core.state import events as ev
from core.state.fold import fold_all
from core.state.snapshot import Snapshot
from core.targets.kinds import Standing
from tests.recordings.make import MOMENT, RELEASE
from tests.tui import scenes
from tests.tui.looking import seen
from tui import status
from tui.awaiting import awaiting_lines
from tui.misplaced import gone_lines, idle_lines, unscaled_lines
from tui.status import registries, release_line, stands

VARIABLE = "MLFLOW_TRACKING_URI"


def released(path: Path, address: str, monkeypatch: pytest.MonkeyPatch, env: str = "dev") -> list[ev.Event]:
    """A release that was begun in a shell where the registry is at an address."""
    monkeypatch.setenv(VARIABLE, address)
    project = Project(path, env)
    begin = release_of(project.settings, True, Wishes())
    shell_variables.keep(project.settings, begin.release)
    monkeypatch.delenv(VARIABLE)
    began = ev.Began(begin.release, begin.endpoint, env, begin.plan, options=begin.options)
    return [ev.Event(1, 1.0, "ada", began)]


def told(path: Path, events: list[ev.Event]) -> list[str]:
    return registries(Project(path), fold_all(events))


def test_the_registry_is_the_one_that_the_release_was_begun_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = init(tmp_path / "late", sample="iris")
    events = released(path, "http://user:secret@models.lan:5000", monkeypatch)
    monkeypatch.setenv(VARIABLE, "http://elsewhere.lan")
    assert told(path, events) == ["models: http://models.lan:5000"]


def test_a_database_with_a_password_is_named_by_the_release_whose_shell_knew_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = init(tmp_path / "late", sample="iris")
    events = released(path, "postgresql://user:secret@db/mlflow", monkeypatch)
    (said,) = told(path, events)
    assert said.endswith(f'"${VARIABLE}"  with {VARIABLE} as in the shell of {events[0].body.release}')  # type: ignore[union-attr]
    assert "secret" not in said


def test_environments_with_registries_of_their_own_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = init(tmp_path / "late", sample="iris")
    events = [
        *released(path, "http://one.lan", monkeypatch),
        *released(path, "http://two.lan", monkeypatch, "prod"),
    ]
    names = [event.body.endpoint for event in events]  # type: ignore[union-attr]
    assert told(path, events) == [f"models of {names[0]}: http://one.lan", f"models of {names[1]}: http://two.lan"]


def test_before_any_release_it_is_this_shells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "http://here.lan")
    path = init(tmp_path / "late", sample="iris")
    assert registries(Project(path), Snapshot()) == ["models: http://here.lan"]


@pytest.mark.parametrize(
    ("counted", "said"),
    [
        ({}, ("real       ?", "real       ?")),
        ({"blue": 60, "green": 20}, ("real  75.0 %", "real  25.0 %")),
        ({"blue": 60}, ("real 100.0 %", "real   0.0 %")),
    ],
)
def test_beside_the_weight_that_is_wanted_stands_the_one_that_answers_showed(
    counted: dict[str, int], said: tuple[str, str]
) -> None:
    v1, v2 = Version("late", "1"), Version("late", "2")
    seen = (Observation("blue", v1, 2, 2, 90.0), Observation("green", v2, 2, 2, 10.0))
    bodies: list[ev.Body] = [
        *(ev.Observed("late", one) for one in seen),
        *(ev.Sampled("late", Sample(s, 99.0, n)) for s, n in counted.items()),
    ]
    snapshot = fold_all(ev.Event(number, 99.0, "watch", body) for number, body in enumerate(bodies, 1))
    lines = list(stands(Standing("late", "kubernetes", seen, ()), snapshot, "late", 100.0))
    assert [said[0] in lines[0], said[1] in lines[1]] == [True, True], lines


@pytest.mark.parametrize("shut", [False, True])
def test_a_question_that_is_open_stands_there_with_the_time_left_and_how_it_is_answered(
    tmp_path: Path, shut: bool
) -> None:
    project = Project(init(tmp_path / "late", sample="iris"), "prod", ("read_only=true",) if shut else ())
    release = seen(scenes.asked()).release
    assert release is not None
    said = awaiting_lines(release, project, project.settings, MOMENT)
    commands = "'quarterdeck approve --env prod', or 'quarterdeck reject --env prod'"
    assert [line.strip() for line in said] == [
        "? asked  p99 has 1,647 of 4,000 requests after 1:30; go on to 50 %?",
        "4:32 left, then it is given up",
        *([] if shut else [f"→ {commands}"]),
    ]
    answered = seen(scenes.then(scenes.asked(), ev.Answered(RELEASE, scenes.HOLD, True))).release
    assert answered is not None
    assert awaiting_lines(answered, project, project.settings, MOMENT) == []


@pytest.mark.parametrize(
    ("scene", "said"),
    [
        (
            scenes.paused(),
            [
                "‖ paused for 0:30: it stays where it is",
                "→ 'quarterdeck pause --env prod' lets it go on, or 'quarterdeck abort --env prod' ends it",
            ],
        ),
        (
            scenes.one_step_on(),
            ["‖ waits  for 0:30; the next step: traffic 50 %", "→ 'quarterdeck next --env prod'"],
        ),
        (scenes.by_steps(), []),
        (scenes.rolled_back(), []),
    ],
)
def test_a_release_that_stands_still_until_somebody_speaks_says_since_when_and_the_command(
    tmp_path: Path, scene: list[ev.Event], said: list[str]
) -> None:
    release = seen(scene).release
    assert release is not None
    for shut in (False, True):
        project = Project(init(tmp_path / f"late{shut}", sample="iris"), "prod", ("read_only=true",) if shut else ())
        lines = [line.strip() for line in awaiting_lines(release, project, project.settings, MOMENT + 30)]
        assert lines == (said[:1] if shut else said)


@pytest.mark.parametrize(
    ("scene", "ends"),
    [
        (scenes.at_ten(), "running, at hold"),
        (scenes.by_steps(), "running, at hold, step by step"),
        (scenes.rolled_back(), "rolled back: by ops at 50 %"),
    ],
)
def test_a_release_that_goes_step_by_step_says_so(scene: list[ev.Event], ends: str) -> None:
    release = seen(scene).release
    assert release is not None
    assert release_line(release, "late").endswith(ends)


@pytest.mark.parametrize(
    ("replica", "said"),
    [
        (Replica("blue-1", ReplicaState.READY), "cpu  soon  memory    soon"),
        (Replica("blue-1", ReplicaState.STARTING), "cpu  soon  memory    soon"),
        (Replica("blue-1", ReplicaState.READY, 12.0, 88.0), "cpu   12m  memory   88 MB"),
        (Replica("blue-1", ReplicaState.READY, since=70.0), "cpu  soon  memory    soon"),
        # A cluster without a metrics API never says it.
        (Replica("blue-1", ReplicaState.READY, since=1.0), "cpu     -  memory       -"),
        (Replica("blue-1", ReplicaState.BACKOFF, since=70.0), "cpu     -  memory       -"),
    ],
)
def test_what_a_new_replica_uses_is_said_soon_and_where_nobody_measures_it_not_at_all(
    replica: Replica, said: str
) -> None:
    seen = Observation("blue", Version("late", "1"), 1, 1, 100.0, (replica,))
    (_, line) = stands(Standing("late", "kubernetes", (seen,), ()), Snapshot(), "late", 100.0)
    assert said in line


def test_where_a_place_can_not_be_asked_what_was_last_heard_of_it_is_said_with_its_age() -> None:
    bodies: list[ev.Body] = [
        ev.Observed("late", Observation("green", Version("late", "2"), 2, 2, 100.0)),
        ev.Contacted("late", Contact(99.0, "no answer")),
    ]
    snapshot = fold_all(ev.Event(number, 99.0, "watch", body) for number, body in enumerate(bodies, 1))
    mute = Standing("late", "azureml", (), ("azure    rg/ws: no answer",), unknown="no answer")
    assert list(stands(mute, snapshot, "late", 279.0)) == [
        "  azure    rg/ws: no answer",
        "  known    green late v2 100 %, 2/2 ready, as of 3 min ago; it goes on there without this machine",
    ]
    assert list(stands(mute, Snapshot(), "late", 279.0)) == ["  azure    rg/ws: no answer"]


@pytest.mark.parametrize(("wanted", "weight", "told"), [(0, 100.0, True), (0, 0.0, False), (2, 100.0, False)])
def test_a_slot_with_traffic_that_was_scaled_to_nothing_is_said(wanted: int, weight: float, told: bool) -> None:
    green = Observation("green", Version("late", "2"), wanted, 0, weight)
    lines = [
        "  ! size   green was scaled to 0 replicas: nobody answers its 100 % of the traffic",
        "           → 'quarterdeck scale 1 --slot green --env prod' starts it again",
    ]
    assert idle_lines(Standing("late", "kubernetes", (green,), ()), "prod") == (lines if told else [])


@pytest.mark.parametrize(("obstacles", "told"), [((Obstacle(Cause.MISSING),), True), ((), False)])
def test_an_autoscaler_that_somebody_deleted_is_said(obstacles: tuple[Obstacle, ...], told: bool) -> None:
    look = Scaled("green", 99.0, 2, 2, "no autoscaler", min=1, max=4, obstacles=obstacles)
    lines = [
        "  ! size   green: it has no autoscaler, though endpoint.autoscaling asks for one: it stays at 2",
        "           → 'quarterdeck scale 2 --slot green --env prod' makes it anew",
    ]
    place = Standing("late", "kubernetes", (), (), looks={"green": look})
    assert unscaled_lines(place, "prod") == (lines if told else [])


@pytest.mark.parametrize(("assumed", "ready", "told"), [(False, 2, True), (True, 2, False), (False, 0, False)])
def test_a_slot_that_is_gone_while_another_one_answers_all_is_no_outage(assumed: bool, ready: int, told: bool) -> None:
    """Another machine took it over, took it down and released anew, and nobody watched from here."""
    sent = ev.Routed("late", {"green": 100.0})
    snapshot = fold_all([ev.Event(1, 99.0, "watch", sent)])
    blue = Observation("blue", Version("late", "1"), 2, ready, 100.0)
    lines = gone_lines(Standing("late", "kubernetes", (blue,), (), assumed=assumed), snapshot, "late", 100.0)
    moved = ["  ! moved  green is gone, and blue with v1 answers all requests, which was not done from here"]
    assert (lines == moved) is told
    assert any("nobody answers" in line for line in lines) is not told


@pytest.mark.parametrize(
    ("place", "gone"),
    [
        (Standing("late", "kubernetes", (Observation("blue", Version("late", "1"), 1, 1, 0.0),), ()), True),
        (None, True),
        # Where the place could not be asked, the watch has the last word.
        (Standing("late", "kubernetes", (), ("cluster  no answer",)), False),
    ],
)
def test_what_somebody_deleted_is_said_at_once_with_what_to_do(place: Standing | None, gone: bool) -> None:
    v2 = Version("late", "2")
    bodies: list[ev.Body] = [
        ev.Observed("late", Observation("green", v2, 1, 1, 100.0)),
        ev.Routed("late", {"green": 100.0}),
    ]
    snapshot = fold_all(ev.Event(number, 99.0, "watch", body) for number, body in enumerate(bodies, 1))
    said = gone_lines(place, snapshot, "late", 100.0)
    assert [line.strip() for line in said] == (
        [
            "! gone   green was deleted where it stood: nobody answers all requests",
            "→ 'quarterdeck release' brings it back",
        ]
        if gone
        else []
    )


@pytest.mark.parametrize("released_to", [("dev",), ()])
async def test_in_an_outage_a_place_that_nothing_was_released_to_is_no_news_beside_one_that_has_releases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, released_to: tuple[str, ...]
) -> None:
    path = init(tmp_path / "late", sample="iris")
    project = Project(path)
    names: dict[str, str] = {own.environment: name for name, own in project.by_endpoint().items()}

    async def away(*_: object) -> list[Standing]:
        return [Standing(name, "azureml", (), ("azure    no answer",), unknown="away") for name in names.values()]

    monkeypatch.setattr(status, "standing", away)
    with contextlib.closing(project.journal()) as journal:
        for env in released_to:
            journal.append([ev.Began("late-1", names[env], env, Plan("canary", (Ask("all?"),)))], "ada", 1.0)
    said = await status.lines_of(project)
    assert [env for env in names if any(line.startswith(f"{names[env]} · {env}") for line in said)] == [
        *(released_to or names)
    ]
