"""The run folder of a release."""

import json
from pathlib import Path

import pytest

from core.domain.errors import Failed
from core.domain.gates import Gate, GateResult, Verdict
from core.domain.plan import Deploy, Load, Plan, Work
from core.domain.strategies import all_at_once
from core.engine import report
from core.state import events as ev
from tests.environments import TEST, V1, V2, begin, rollout
from tests.world import World, serving

GATE = Gate("p95_ms", "<", 25.0, "live", dry_run=True)


def finished(page: Path) -> World:
    world = serving()
    plan = Plan("short", (Work("train"), Deploy(2), Load(TEST, ())))
    world.do(begin(V2, plan, options={"settings": '{"model":"late"}', "fetch": {"uri": "x"}}))
    world.say(
        ev.StepStarted("r2", 0),
        ev.StepDone("r2", 0, "f1 | .8", {"f1": 0.8, "splits": [1, 2]}),
        ev.Logged("late", "train", "half a \udce4 character →"),
        ev.StepStarted("r2", 1),
        ev.Judged("r2", 1, (Verdict(GATE, GateResult.PASS, 3.0, "fine"),)),
        ev.StepDone("r2", 1),
        ev.StepStarted("r2", 2),
        ev.StepDone("r2", 2, "90 rps", {"requests": 5400, "rps": 90.0, "artifacts": [str(page), "/nowhere/x.csv"]}),
        ev.Opened("late", "http://127.0.0.1:1"),
        ev.Verified("late", {"green": 100.0}, 3.0, 20),
        ev.Ended("r2", ev.Outcome.DONE, "all went\nwell"),
    )
    return world


def test_everything_that_is_known_lies_in_the_folder(tmp_path: Path) -> None:
    page = tmp_path / "load_test_report.html"
    page.write_text("<html>")
    model, work = tmp_path / "model", tmp_path / "work"
    model.mkdir()
    work.mkdir()
    (model / "model.json").write_text("{}")
    (work / "work.log").write_text("a line")
    world = finished(page)
    for _ in range(2):
        folder = report.write(world.snapshot, world.release, tmp_path / "runs" / "r2", model, work)
    found = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert found == [
        "load/load_test_report.html",
        "logs/release.log",
        "logs/work.log",
        "metrics.json",
        "model/model.json",
        "report.json",
        "report.md",
    ]
    told = json.loads((folder / "report.json").read_text())
    assert (told["release"], told["outcome"], told["version"]["number"]) == ("r2", "done", "2")
    assert (told["url"], told["settings"], told["options"]) == (
        "http://127.0.0.1:1", {"model": "late"}, {"fetch": {"uri": "x"}},
    )  # fmt: skip
    assert told["steps"][1]["verdicts"] == [
        {"gate": "p95 : live", "limit": "< 25 %", "value": 3.0, "outcome": "PASS", "dry_run": True, "why": "fine"}
    ]
    metrics = json.loads((folder / "metrics.json").read_text())
    assert (metrics["train"]["f1"], metrics["load test"]["requests"]) == (0.8, 5400)
    assert metrics["took_s"]["1 train"] == 0.0
    assert "half a � character →" in (folder / "logs" / "release.log").read_text(encoding="utf-8")


def test_a_figure_beyond_its_limit_that_stopped_nothing_says_why() -> None:
    verdict = Verdict(Gate("p95_ms", "<", 25.0, "live"), GateResult.PASS, 27.0, "nothing worse is shown")
    assert str(report._verdict(verdict)["why"]).startswith(
        "nothing worse is shown; more than 25 %, but that is not sure"
    )


def test_the_page_is_for_a_reader(tmp_path: Path) -> None:
    world = finished(tmp_path / "x.html")
    page = report.page_of(world.snapshot, world.release)
    assert page.startswith("# late v2 to late: done\n")
    assert "| train | done | f1 \\| .8 |" in page
    assert "| p95 : live | < 25 % | PASS | fine |" in page
    assert "| requests | 5,400 |" in page
    assert "| rps | 90.0 |" in page
    assert "Endpoint: http://127.0.0.1:1" in page


def test_a_load_test_that_failed_is_told_with_what_failed_in_it(tmp_path: Path) -> None:
    world = serving()
    world.do(begin(V2, Plan("short", (Load(TEST, ()),))))
    kinds = {"failed": {"HTTP 500": 3}, "exceptions": {f"KeyError: '{n}|'": 10 - n for n in range(7)}}
    result = {"requests": 5400, "failed": 3, "exceptions": 49, "kinds": kinds}
    world.say(ev.StepStarted("r2", 0), ev.StepFailed("r2", 0, "exceptions", result=result))
    page = report.page_of(world.snapshot, world.release)
    assert "| exceptions | 49 |" in page
    assert "| failed | HTTP 500 | 3 |" in page
    assert "| exceptions | KeyError: '0\\|' | 10 |" in page
    assert page.count("| exceptions | KeyError") == report.MOST_KINDS


def test_a_release_that_is_under_way_is_reported_as_far_as_it_is(tmp_path: Path) -> None:
    world = World()
    world.do(begin(None, all_at_once(("train",), rollout())))
    told = report.report_of(world.snapshot, world.release)
    assert (told["outcome"], told["version"], told["ended_at"], told["settings"]) == ("under way", None, None, None)
    assert report.metrics_of(world.release) == {"took_s": {}}
    assert "no version to late: under way" in report.page_of(world.snapshot, world.release)
    folder = report.write(world.snapshot, world.release, tmp_path / "r", None, tmp_path)
    assert not (folder / "load").exists()


def test_a_folder_that_can_not_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    world = serving(V1)
    with pytest.raises(Failed, match="the report can't be written") as caught:
        report.write(world.snapshot, world.release, tmp_path / "runs" / "r", None, tmp_path)
    assert "\n" not in str(caught.value)
