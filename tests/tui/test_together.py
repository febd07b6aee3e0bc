"""What is said of releases that go on and back as one."""

from pathlib import Path

from core.domain.model import Observation
from core.domain.plan import Hold, Plan, Shift, Smoke
from core.state import events as ev
from core.state.fold import fold_all
from core.state.snapshot import Snapshot
from tests.environments import V1, V2
from tests.tui.looking import text
from tui.environments import of_each
from tui.history import History
from tui.plain_lines import lines_of
from tui.plan_command import lines_of as plan_of
from tui.status import _together
from tui.verdict import verdict
from tui.view import View

T = 1_790_000_000.0
PLAN = Plan("canary", (Smoke(50), Shift(10), Hold(60.0, ()), Shift(100)))
GROUP = {"flowers-dev": "f2", "petals-dev": "p2"}
BEGAN = [ev.Began(release, name, "dev", PLAN, together=GROUP) for name, release in GROUP.items()]
WAITS: list[ev.Body] = [
    *BEGAN,
    ev.Chose("f2", V2),
    ev.Placed("f2", "green", "blue", V1),
    ev.StepStarted("f2", 0),
    ev.StepDone("f2", 0),
    ev.StepStarted("p2", 0),
    ev.Reached("f2", 1, "petals-dev to pass smoke"),
]


def events(bodies: list[ev.Body]) -> list[ev.Event]:
    return [ev.Event(at + 1, T, "ada", body) for at, body in enumerate(bodies)]


def snapshot(bodies: list[ev.Body]) -> Snapshot:
    return fold_all(events(bodies))


def test_the_deck_says_whom_a_release_waits_for_and_for_how_long() -> None:
    folded = snapshot([*WAITS, ev.Drove("flowers-dev", "watch")])
    view = View(folded, History(), "flowers-dev", T + 12)
    assert "WAITS for petals-dev to pass smoke 0:12" in text(verdict(view, 118))


def test_status_says_with_whom_and_what_it_waits_for() -> None:
    waits = snapshot(WAITS)
    said = _together(waits.releases["f2"], waits, T + 12)
    assert said == ["  together with petals-dev; waits for petals-dev to pass smoke, 0:12 so far"]
    assert _together(waits.releases["p2"], waits, T + 12) == ["  together with flowers-dev"]


def test_lines_of_several_have_their_endpoints_before_them() -> None:
    told: list[str] = []
    lines, folded = lines_of(list(GROUP), told.append), Snapshot()
    for event in events(WAITS):
        folded = fold_all([event], folded)
        for one in lines:
            one.say(event, folded)
    assert told[0].startswith("flowers-dev  ")
    assert told[0].endswith("ada began canary on flowers-dev, 3 stages, together with petals-dev")
    assert told[-1].startswith("flowers-dev  ")
    assert told[-1].endswith("traffic     could go on; waits for petals-dev to pass smoke")


def test_each_endpoint_has_its_environments_side_by_side() -> None:
    bodies: list[ev.Body] = []
    known = {}
    for base in ("flowers", "petals"):
        for env in ("dev", "staging"):
            name = f"{base}-{env}"
            known[name] = env
            bodies += [
                ev.Began(name, name, env, Plan("all-at-once", (Shift(100),))),
                ev.Chose(name, V1),
                ev.Placed(name, "blue", None, None),
                ev.Observed(name, Observation("blue", V1, 1, 1, 100.0)),
            ]
    lines = of_each(snapshot(bodies), known, T)
    assert [line.split()[0] for line in lines] == ["flowers", "dev", "staging", "petals", "dev", "staging"]


async def test_the_plan_of_several_is_headed_by_what_holds_for_all(tmp_path: Path) -> None:
    from core.config.planner import Wishes
    from core.engine.project import Project

    path = tmp_path / "quarterdeck.yaml"
    path.write_text("data: {source: iris, target: species}\nendpoints: {flowers: {}, petals: {}}\n")
    lines = await plan_of(Project(path, "dev"), Wishes())
    assert lines[0] == "together: flowers-dev, petals-dev"
    assert sum("goes back to:" in line for line in lines) == 2
