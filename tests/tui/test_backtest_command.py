"""`quarterdeck backtest`: one recording in a line, many with false stops, misses and seconds to catch."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from core.domain.errors import BadInput
from core.engine import recording
from core.rollout.backtest import BackTest
from tests.recordings.make import ENDPOINT, MOMENT, RELEASE
from tests.tui import past
from tests.tui.replay import recorded
from tui import backtest_command

TIGHT = "release:\n  gates:\n    - {metric: p95_ms, op: '<', limit: 1}\n"
LOOSE = "release:\n  gates:\n    - {metric: p95_ms, op: '<', limit: 5000}\n"


def judged(tmp_path: Path, names: list[str], gates: str, as_json: bool = False) -> list[str]:
    path = tmp_path / "other.yaml"
    path.write_text(gates)
    said: list[str] = []
    wanted = backtest_command.gates_for(lambda: past.project(tmp_path), path, None, ())
    assert backtest_command.run(lambda: past.project(tmp_path), names, wanted, False, as_json, said.append) == 0
    return said


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "late.qdr"
    recording.export(recording.Recorded(RELEASE, ENDPOINT, tuple(recorded())), path, "9.9")
    return str(path)


def test_a_tighter_gate_names_the_second_on_a_recording(tmp_path: Path, file: str) -> None:
    (said,) = judged(tmp_path, [file], TIGHT)
    assert said.startswith(f"{RELEASE}  rolled back: stops at 14:02:")
    assert "into the hold at 10 %" in said
    assert "before it went back: p95 " in said
    (said,) = judged(tmp_path, [file], LOOSE)
    assert said.startswith(f"{RELEASE}  rolled back: stops nothing in ")


def test_gates_that_are_set_for_the_call_are_those_that_judge(tmp_path: Path, file: str) -> None:
    sets = ("release.gates=[{metric: p95_ms, limit: 1}]",)
    project = replace(past.project(tmp_path), sets=sets, _known={})
    wanted = backtest_command.gates_for(lambda: project, None, None, sets)
    assert wanted is not None
    assert [one.limit for one in wanted] == [1]
    said: list[str] = []
    assert backtest_command.run(lambda: project, [file], wanted, False, False, said.append) == 0
    assert "stops at 14:02:" in said[0]
    assert backtest_command.gates_for(lambda: project, None, None, ("train.n_iter=2",)) is None


def test_as_json_with_the_figures_of_all(tmp_path: Path, file: str) -> None:
    first, second, told = (json.loads(line) for line in judged(tmp_path, [file, file], TIGHT, as_json=True))
    assert first == second
    assert MOMENT - 60 < first["stop_at"] < MOMENT
    assert (told["recordings"], told["bad"], told["misses"], told["false_stops"]) == (2, 2, [], [])
    assert told["catch_s"]["median"] == first["catch_s"]


def test_the_summary_counts_false_stops_and_misses() -> None:
    bad = BackTest("a", "rolled back", True, 9, served_at=10.0, back_at=90.0, stop_at=25.0)
    missed = replace(bad, release="b", stop_at=None)
    coarse = replace(missed, release="c", coarse_s=10.0)
    healthy = BackTest("c", "done", False, 9, served_at=10.0)
    false = replace(healthy, release="d", stop_at=30.0)
    going = replace(false, release="e", outcome="under way")
    empty = replace(healthy, release="f", looks=0)
    told = [bad, missed, healthy, false, going, empty, coarse]
    assert backtest_command.summary(told) == (
        "7 recordings: 1 of 2 healthy ones stopped falsely, 1 of 3 bad ones missed, 1 kept too coarsely to tell; "
        "caught 15 s after first traffic, at worst 15 s"
    )
    counted = backtest_command.figures(told)
    assert (counted["false_stops"], counted["misses"], counted["too_coarse"]) == (["d"], ["b"], ["c"])
    assert backtest_command.said(coarse) == "c  rolled back: can't be told, its samples are 10 s long"
    assert "nothing to judge" in backtest_command.said(empty)


def test_all_of_a_project_and_nothing_named(tmp_path: Path) -> None:
    project = past.project(tmp_path)
    said: list[str] = []
    assert backtest_command.run(lambda: project, [], None, True, False, said.append) == 0
    assert len(said) == 3
    with pytest.raises(BadInput, match="name a release or a recording, or --all"):
        backtest_command.run(lambda: project, [], None, False, False, said.append)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x: 1\n", "other.yaml: no gates in it; write them under release.gates"),
        ("release:\n  gates:\n    - {metric: speed, limit: 1}\n", r"other.yaml: release.gates\[0\].metric: .*speed"),
        ("release: [\n", r"other.yaml: line 2"),
    ],
)
def test_a_file_without_gates_is_a_line(tmp_path: Path, file: str, text: str, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        judged(tmp_path, [file], text)
