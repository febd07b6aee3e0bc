"""What `alerts`, `silence` and `unsilence` say, and what they refuse in a line."""

import contextlib
import json
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.domain.errors import BadInput
from core.engine.project import Project
from core.state import events as ev
from core.state.alert import Alert, AlertState, Notice, Topic
from tests.notify.receivers import http_receiver
from tests.tui import past
from tui import alerts_command
from tui.alerts_command import seconds_of
from tui.cli import app

RECEIVERS = "\nalerts:\n  receivers:\n    ops: {kind: slack, url_env: OPS_HOOK}\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    made = past.project(tmp_path)
    made.path.write_text(made.path.read_text() + RECEIVERS)
    monkeypatch.chdir(made.path.parent)
    return Project(made.path)


def write(project: Project, *bodies: ev.Body) -> None:
    with contextlib.closing(project.journal()) as journal:
        journal.append(list(bodies), "watch", time.time())


def call(*arguments: str) -> tuple[int, str]:
    said = CliRunner().invoke(app, list(arguments))
    return said.exit_code, said.output


def test_every_rule_has_a_line_with_what_it_will_do_and_when(project: Project) -> None:
    now = time.time()
    pending = Alert("errors", AlertState.PENDING, now - 65, now, now + 235.5, "8.0 % failed", "rolls back in steps")
    acted = Alert("availability", AlertState.ACTED, now - 700, now, now + 900, "2 %", "x", "goes back at once")
    notice = Notice("n1", now, Topic.PAGE, past.ENDPOINT, "dev", "late-dev: availability acted", "2 %")
    write(
        project,
        ev.Alerted(past.ENDPOINT, pending),
        ev.Alerted(past.ENDPOINT, acted),
        ev.Promised(past.ENDPOINT, notice, ("ops",)),
        ev.TellingFailed(past.ENDPOINT, "n1", "ops", "slack answered 500", now + 60),
    )
    code, text = call("alerts")
    assert code == 0
    lines = {line.split()[0]: line for line in text.splitlines()}
    assert lines["errors"].split(None, 3)[1:3] == ["pending", "65"]
    assert "rolls back in steps in 3:5" in lines["errors"]
    assert "goes back at once" in lines["availability"]
    assert "rolls back at once after 15 min" in lines["availability-lasting"]
    assert lines["off:"] == "off: no-requests"
    assert lines["told:"] == "told: ops (slack)"
    assert "not told yet: ops: late-dev: availability acted: slack answered 500, try 2" in text
    since = time.strftime("%H:%M:%S", time.localtime(now))
    said = next(line for line in text.splitlines() if line.startswith("ops takes nothing"))
    assert said.startswith(f"ops takes nothing since {since} (")
    assert said.endswith(("slack answered 500; 1 message waits, next try in 60 s", "next try in 59 s"))
    assert "no watch runs" in text
    code, text = call("alerts", "--json")
    document = json.loads(text)
    (failing,) = document["failing"].values()
    assert (failing["why"], failing["waiting"]) == ("slack answered 500", 1)
    assert failing["again_at"] == document["untold"][0]["again_at"]
    code, text = call("status")
    assert f"  ! told   ops takes nothing since {since} (" in text
    assert document["receivers"] == {"ops": ["release", "alert", "page", "ticket"]}
    assert {row["rule"]: row["state"] for row in document["rules"]}["errors"] == "pending"


def test_a_silence_needs_a_rule_a_reason_and_an_end(project: Project) -> None:
    code, text = call("silence", "error", "--reason", "x")
    assert (code, text.partition(", ")[0]) == (2, "error: error: is no rule; did you mean errors?; one of smoke")
    assert call("silence", "errors") == (2, 'error: silence: say why: --reason "TEXT"\n')
    code, text = call("silence", "errors", "--for", "soon", "--reason", "x")
    assert (code, text.startswith("error: --for soon: say how long")) == (2, True)
    code, text = call("silence", "errors", "--for", "30m", "--reason", "we know")
    assert (code, text.startswith("late-dev: errors is silent until ")) == (0, True)
    assert "we know" in call("alerts")[1]
    assert call("unsilence", "errors") == (0, "late-dev: errors speaks again\n")
    assert call("unsilence", "errors")[0] == 3


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1800), ("1.5h", 5400), ("2d", 172800)])
def test_how_long(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds
    for wrong in ("0s", "31d", "1 week", ""):
        with pytest.raises(BadInput, match="say how long"):
            seconds_of(wrong)


async def test_a_test_message_goes_to_each_receiver(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    async with http_receiver() as server:
        monkeypatch.setenv("OPS_HOOK", server.url)
        assert await alerts_command.test(project, said.append) == 0
    assert said == ["✔ ops (slack) took it"]
    assert "nothing is wrong" in server.got[0].body["text"]
    monkeypatch.delenv("OPS_HOOK")
    assert await alerts_command.test(project, said.append) == 1
    assert "the variable OPS_HOOK is not set in this shell" in said[-1]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("rules: {eror: false}", "alerts.rules.eror"),
        ("rules: {errors: {limits: 3}}", "alerts.rules.errors.limits: unknown key"),
        ("rules: {errors: {for_s: -1}}", "alerts.rules.errors.for_s: -1 should be at least 0"),
        ("receivers: {ops: {kind: slack}}", "alerts.receivers.ops: slack needs url_env"),
        ("receivers: {ops: {kind: slack, url_env: 'https://hooks/x'}}", "should be the name of a variable"),
        ("receivers: {ops: {kind: github, token_env: T}}", "github needs repository"),
        ("rules: {burn-fast: {short_s: 7200}}", "short_s 7200 is above long_s 3600"),
    ],
)
def test_a_slip_in_the_settings_is_one_line(project: Project, written: str, said: str) -> None:
    project.path.write_text(project.path.read_text().replace(RECEIVERS, f"\nalerts:\n  {written}\n"))
    code, text = call("alerts")
    assert code == 2
    assert len(text.splitlines()) == 1
    assert said in text
    assert "https://hooks" not in text
