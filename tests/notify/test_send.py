"""Each kind of receiver gets what it reads, says what it says, and no secret is repeated."""

import json
from pathlib import Path
from typing import Any

import pytest

from core.config.alerts import ReceiverSettings
from core.domain.errors import Failed, QuarterdeckError, Unreachable
from core.notify.payloads import AnswerLinks
from core.notify.send import bury, send
from core.state.alert import Notice, Topic
from tests.notify.receivers import http_receiver, smtp_receiver

NOTICE = Notice(
    "late/errors/1/fired", 1.0, Topic.PAGE, "late", "prod", "late: errors fired", "8 % <failed>", "late/errors/1"
)
SECRET = "s3cret-token"


def receiver(kind: str, **more: Any) -> ReceiverSettings:
    return ReceiverSettings.model_validate({"kind": kind, "timeout_s": 2.0, **more})


def made(kind: str, url: str) -> tuple[ReceiverSettings, dict[str, str]]:
    """A receiver of a kind at an address, and its variables."""
    token = {"token_env": "TOKEN", "url": url}
    match kind:
        case "pagerduty":
            return receiver(kind, **token), {"TOKEN": SECRET}
        case "github" | "azure":
            return receiver(kind, **token, repository="team/late"), {"TOKEN": SECRET}
        case _:
            return receiver(kind, url_env="HOOK"), {"HOOK": f"{url}/{SECRET}"}


KINDS = ["webhook", "slack", "teams", "pagerduty", "github", "azure"]


@pytest.mark.parametrize("kind", KINDS)
async def test_each_kind_gets_what_it_reads(kind: str) -> None:
    async with http_receiver() as server:
        settings, environ = made(kind, server.url)
        await send(settings, NOTICE, environ)
    (got,) = server.got
    text = json.dumps(got.body)
    assert "8 %" in text
    match kind:
        case "webhook":
            assert (got.body["severity"], got.body["key"], got.body["resolved"]) == ("critical", NOTICE.key, False)
        case "slack":
            assert "&lt;failed&gt;" in got.body["text"]
        case "teams":
            assert got.body["attachments"][0]["content"]["type"] == "AdaptiveCard"
        case "pagerduty":
            assert (got.body["event_action"], got.body["dedup_key"]) == ("trigger", NOTICE.key)
            assert (got.body["payload"]["severity"], got.body["routing_key"]) == ("critical", SECRET)
        case "github":
            assert (got.path, got.headers["authorization"]) == ("/repos/team/late/issues", f"Bearer {SECRET}")
            assert got.body["title"] == NOTICE.title
        case "azure":
            assert got.path == "/team/late/_apis/wit/workitems/$Issue?api-version=7.1"
            assert got.headers["content-type"] == "application/json-patch+json"
            assert {"op": "add", "path": "/fields/System.Title", "value": NOTICE.title} in got.body


@pytest.mark.parametrize("kind", KINDS)
async def test_links_that_answer_are_where_people_find_them(kind: str) -> None:
    links = AnswerLinks("https://deck/answer/yes", "https://deck/answer/no")
    async with http_receiver() as server:
        settings, environ = made(kind, server.url)
        await send(settings, NOTICE, environ, links)
    (got,) = server.got
    match kind:
        case "webhook":
            assert (got.body["approve_url"], got.body["reject_url"]) == (links.yes, links.no)
        case "slack":
            assert f"<{links.yes}|Approve> or <{links.no}|Reject>" in got.body["text"]
        case "teams":
            actions = got.body["attachments"][0]["content"]["actions"]
            assert [(one["type"], one["url"]) for one in actions] == [("Action.OpenUrl", one) for one in both(links)]
        case "pagerduty":
            assert [one["href"] for one in got.body["links"]] == both(links)
        case _:
            assert "deck/answer" not in json.dumps(got.body)
    assert "deck/answer" not in repr(links)


def both(links: AnswerLinks) -> list[str]:
    return [links.yes, links.no]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("status", "error"), [(500, Unreachable), (429, Unreachable), (401, Failed), (302, Failed)])
async def test_what_a_server_says_decides_whether_it_is_asked_again(
    kind: str, status: int, error: type[QuarterdeckError]
) -> None:
    async with http_receiver(statuses=[status]) as server:
        settings, environ = made(kind, server.url)
        with pytest.raises(error, match=f"{kind} answered {status}") as caught:
            await send(settings, NOTICE, environ)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
async def test_who_is_not_there_or_says_nothing_is_asked_again_and_no_secret_is_said(kind: str) -> None:
    async with http_receiver(silent=True) as server:
        settings, environ = made(kind, server.url)
        with pytest.raises(Unreachable, match="gave no answer") as silent:
            await send(settings.model_copy(update={"timeout_s": 0.2}), NOTICE, environ)
    with pytest.raises(Unreachable, match="can't be reached") as gone:
        await send(settings, NOTICE, environ)
    with pytest.raises(Failed, match=r"the variable (TOKEN|HOOK) is not set") as unset:
        await send(settings, NOTICE, {})
    broken = dict.fromkeys(environ, "http://[bad")
    if kind not in ("pagerduty", "github", "azure"):
        with pytest.raises(Unreachable, match="can't be reached") as wrong:
            await send(settings, NOTICE, broken)
        assert "bad" not in str(wrong.value)
    for caught in (silent, gone, unset):
        assert SECRET not in str(caught.value)
        assert caught.value.__cause__ is None


async def test_of_an_answer_without_an_end_its_head_is_enough_and_that_has_one_deadline() -> None:
    """Each byte comes in time; all of them never do."""
    async with http_receiver(drips=b"HTTP/1.1 202 X\r\ncontent-length: 1000000\r\n\r\n") as server:
        settings, environ = made("webhook", server.url)
        await send(settings, NOTICE, environ)
    async with http_receiver(drips=b"HTTP/1.1 202 X\r\nx-more: ") as server:
        settings, environ = made("webhook", server.url)
        with pytest.raises(Unreachable, match=r"webhook gave no answer within 0\.3 s"):
            await send(settings.model_copy(update={"timeout_s": 0.3}), NOTICE, environ)


async def test_a_resolved_alert_closes_its_page() -> None:
    from dataclasses import replace

    async with http_receiver() as server:
        settings, environ = made("pagerduty", server.url)
        await send(settings, replace(NOTICE, resolved=True), environ)
    assert server.got[0].body == {"routing_key": SECRET, "event_action": "resolve", "dedup_key": NOTICE.key}


def mail(port: int, ca: Path, **more: Any) -> ReceiverSettings:
    who = {"sender": "deck@example.org", "to": ["ops@example.org"]}
    return receiver("email", **{"host": "127.0.0.1", "port": port, "ca": str(ca), **who, **more})


@pytest.mark.parametrize("implicit", [False, True])
async def test_mail_goes_over_tls_with_a_login(tmp_path: Path, implicit: bool) -> None:
    async with smtp_receiver(tmp_path, implicit=implicit) as server:
        login = {"user_env": "USER_NAME", "password_env": "PASSWORD", "tls": "tls" if implicit else "starttls"}
        await send(mail(server.port, server.ca, **login), NOTICE, {"USER_NAME": "deck", "PASSWORD": SECRET})
    (got,) = server.got
    assert "Subject: [late] late: errors fired" in got
    assert server.logins
    assert server.encrypted is not implicit


async def test_mail_is_not_sent_in_the_clear_or_to_who_is_not_trusted(tmp_path: Path) -> None:
    async with smtp_receiver(tmp_path, plain=True) as server:
        with pytest.raises(Failed, match="NotSupported"):
            await send(mail(server.port, server.ca), NOTICE, {})
    async with smtp_receiver(tmp_path) as server:
        other = tmp_path / "other"
        other.mkdir()
        from tests.notify.receivers import certificate

        with pytest.raises(Failed, match="certificate is not trusted"):
            await send(mail(server.port, certificate(other)[0]), NOTICE, {})
    assert server.got == []


@pytest.mark.parametrize(("code", "error"), [(451, Unreachable), (550, Failed)])
async def test_a_mail_server_that_is_busy_is_asked_again(
    tmp_path: Path, code: int, error: type[QuarterdeckError]
) -> None:
    async with smtp_receiver(tmp_path, codes=[code]) as server:
        with pytest.raises(error, match=f"answered {code}"):
            await send(mail(server.port, server.ca), NOTICE, {})


def test_a_dead_letter_is_kept_for_its_owner_alone(tmp_path: Path) -> None:
    for name in ("ops", "mail"):
        path = bury(tmp_path, NOTICE, name, "no answer")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["receiver"], line["why"], line["id"]) for line in lines] == [
        ("ops", "no answer", NOTICE.id),
        ("mail", "no answer", NOTICE.id),
    ]
    assert path.stat().st_mode & 0o777 == 0o600
