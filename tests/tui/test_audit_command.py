"""`quarterdeck audit` and `quarterdeck live`: who did what, when, why and from where; what served when."""

import contextlib
import csv
import json
import sqlite3
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.domain.errors import BadInput, Failed, Refused
from core.domain.plan import Plan, Shift
from core.engine.project import Project
from core.state import events as ev
from core.state.alert import Notice, Topic
from core.state.audit import deeds
from tests.tui import past
from tui import audit_command
from tui.cli import app
from tui.moments import dated, moment

pytestmark = pytest.mark.usefixtures("utc")


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> None:

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return past.project(tmp_path)


def audited(project: Project, since: str = "", form: str = "text", whole: bool = False) -> list[str]:
    said: list[str] = []
    assert audit_command.audit(project, said.append, since, form, whole) == 0
    return said


def lived(project: Project, after_s: float) -> list[str]:
    said: list[str] = []
    at = datetime.fromtimestamp(past.T + after_s, UTC).isoformat()
    assert audit_command.live(project, said.append, at) == 0
    return said[1:]


def test_each_line_says_who_what_when_why_and_from_where(project: Project) -> None:
    said = audited(project)
    (back,) = [line for line in said if "rolling back" in line]
    assert back.startswith(datetime.fromtimestamp(past.T + 3700, UTC).strftime("%Y-%m-%d %H:%M:%S  bob"))
    assert "late-dev r2" in back
    assert "answers late" in back
    assert back.endswith(f"from {past.WHERE}")
    assert said[-1] == "12 decisions; times are UTC (+0000)"
    assert len(audited(project, whole=True)) == 22, "each step too"


def test_as_json_and_as_csv_it_says_the_same(project: Project) -> None:
    rows = [json.loads(line) for line in audited(project, form="json")]
    table = list(csv.DictReader(audited(project, form="csv")))
    assert [row["what"] for row in rows] == [row["what"] for row in table]
    back = next(row for row in rows if row["kind"] == "TurnedBack")
    assert (back["who"], back["where"], back["why"], back["version"]) == ("bob", past.WHERE, "answers late", "late v2")
    assert len(back["link"]) == 64
    began = next(row for row in table if row["kind"] == "Began" and row["release"] == "r2")
    assert began["who"] == "'=bob", "a spreadsheet must not take a name for a formula"


def test_since_a_moment_and_of_one_environment(project: Project) -> None:
    since = datetime.fromtimestamp(past.T + 3650, UTC).isoformat()
    assert [json.loads(line)["release"] for line in audited(project, since, "json")] == ["r2", "r2", "r2"]
    with pytest.raises(BadInput, match="'soon' is no moment; write 2026-11-20 14:00"):
        audited(project, "soon")
    assert audited(Project(project.path, "prod"), form="json") == []
    assert len(audited(Project(project.path, "dev"), form="json")) == 12


def test_verify_names_the_place_where_something_was_changed(project: Project) -> None:
    said: list[str] = []
    assert audit_command.verify(project, said.append) == 0
    assert said[0] == "whole: 21 decisions since event 1"
    with contextlib.closing(sqlite3.connect(project.path.parent / ".quarterdeck" / "journal.db")) as db:
        db.executescript("drop trigger no_update; update events set who = 'eve' where seq = 19")
    with pytest.raises(Failed, match="the audit is broken at event 19: it was changed"):
        audit_command.verify(project, said.append)


def test_what_can_t_be_read_is_a_line_of_the_audit_and_the_place_where_it_is_broken(project: Project) -> None:
    with contextlib.closing(sqlite3.connect(project.path.parent / ".quarterdeck" / "journal.db")) as db:
        db.executescript("drop trigger no_update; update events set body = '{not json' where seq = 19")
    with pytest.raises(Failed, match=r"the audit is broken at event 19: it was changed.*'quarterdeck restore BACKUP'"):
        audit_command.verify(project, print)
    assert any("journal: event 19 can't be read: not a noun" in line for line in audited(project))
    assert lived(project, 100)


@pytest.mark.parametrize(
    ("after_s", "served"),
    [
        (3.5, "late v1 100 % (blue), since {3} by r1, asked by ada, asked for but not proved by answers"),
        (100, "late v1 100 % (blue), since {3} by r1, asked by ada"),
        (3650, "late v1 90 % (blue), late v2 10 % (green), since {3620} by r2, asked by =bob"),
        (4000, "late v1 100 % (blue), since {3700} by r2, asked by bob"),
    ],
)
def test_which_version_had_which_share_then(project: Project, after_s: float, served: str) -> None:
    moments = {"3": 3, "3620": 3620, "3700": 3700}
    for name, at in moments.items():
        served = served.replace(f"{{{name}}}", dated(past.T + at))
    assert lived(project, after_s) == [f"late-dev: {served}"]


def test_after_it_was_taken_down_nothing_serves(project: Project) -> None:
    with contextlib.closing(project.journal()) as journal:
        journal.append([ev.Routed(past.ENDPOINT, {})], "ada", past.T + 5000)
    assert lived(project, 5001) == [f"late-dev: nothing was served, since {dated(past.T + 5000)}"]
    said: list[str] = []
    assert audit_command.live(project, said.append, "", as_json=True) == 0
    assert json.loads(said[0])["endpoints"][0]["shares"] == []


def test_before_the_first_and_in_the_future_there_is_a_line(project: Project, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"2001-01-01 00:00:00 UTC .*nothing was served here yet; the first traffic came"):
        audit_command.live(project, print, "2001-01-01")
    with pytest.raises(BadInput, match=r"--at 2999-01-01: 2999-01-01 00:00:00 UTC \(\+0000\) is still to come"):
        audit_command.live(project, print, "2999-01-01")
    with pytest.raises(BadInput, match=r"--since 2999-01-01: 2999-01-01 .* is still to come"):
        audited(project, "2999-01-01")
    both = CliRunner().invoke(app, ["audit", "--json", "--csv", "--config", str(project.path)])
    assert (both.exit_code, both.output) == (2, "error: audit: --json or --csv, not both\n")
    path = tmp_path / "new" / "quarterdeck.yaml"
    path.parent.mkdir()
    path.write_text(project.path.read_text())
    with pytest.raises(Refused, match="nothing was served here yet; begin with"):
        audit_command.live(Project(path), print, "")


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-11-20 14:00", 1_795_183_200),
        ("2026-11-20T14:00:00+01:00", 1_795_179_600),
        ("2026-11-20 14:00Z", 1_795_183_200),
        ("9:30", 1_795_167_000),
        ("09:30:15", 1_795_167_015),
        ("2h", 1_795_176_000),
        ("3d", 1_794_924_000),
        ("2h ago", 1_795_176_000),
        ("today", 1_795_132_800),
        ("yesterday", 1_795_046_400),
    ],
)
def test_moments_as_people_write_them(text: str, at: float) -> None:
    assert moment(text, 1_795_183_200.0) == at


def test_what_came_of_a_deed_is_no_reason_for_it() -> None:
    began = ev.Began("r1", "late", "dev", Plan("canary", (Shift(100),)))
    whys = {"": "", "late answers": "late answers"}
    for reason, why in whys.items():
        back = ev.TurnedBack("r1", ev.Outcome.ROLLED_BACK, "rolled back", reason=reason)
        told = list(deeds([ev.Event(1, 1.0, "ada", began), ev.Event(2, 2.0, "ada", back)]))
        assert told[-1].why == why
    failed = ev.TurnedBack("r1", ev.Outcome.FAILED, "hold: errors 9 %")
    assert list(deeds([ev.Event(1, 1.0, "ada", failed)]))[-1].why == "hold: errors 9 %"


def test_where_all_is_asked_for_every_line_is_in_words() -> None:
    facts: list[ev.Body] = [
        ev.Routed("late", {"blue": 90.0, "green": 10.0}, "r1"),
        ev.StepAsked("r1", 0),
        ev.Drove("late", "watch"),
        ev.Pended("late", ev.PendingKind.ALIASES, "the registry is away", 9.0),
    ]
    said = [deed.what for deed in deeds([ev.Event(n, 1.0, "ada", fact) for n, fact in enumerate(facts)], whole=True)]
    assert said[0].startswith("traffic: ")
    assert "10 %" in said[0]
    assert said[1:3] == ["step 1: asked of the target", "driver: watch drives"]
    assert "the registry is away" in said[3]
    assert not [line for line in said for fact in facts if type(fact).__name__ in line]


def test_that_somebody_is_told_again_is_no_decision_and_who_did_it_is_said_once() -> None:
    def told(body: ev.Body, whole: bool = False) -> list[str]:
        return [one.what for one in deeds([ev.Event(1, 1.0, "ada", body)], whole)]

    notice = Notice("n1", 1.0, Topic.PAGE, "late", "dev", "late: errors fired", "9 %")
    promised = ev.Promised("late", notice, ("ops", "boss"))
    failed = ev.TellingFailed("late", "n1", "ops", "timed out", 9.0)
    assert (told(promised), told(failed)) == ([], [])
    assert told(promised, whole=True) == ["told: late: errors fired, to ops, boss"]
    assert told(failed, whole=True) == ["told: ops did not get n1: timed out; tried again"]
    assert told(replace(failed, dead=True))
    assert told(ev.Reasoned("r1", "late answers")) == ["reason: late answers"]
