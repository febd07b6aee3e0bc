"""What each kind of receiver wants to read: its own JSON, made of a notice. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.state.alert import Notice, Topic

SEVERITY = {Topic.PAGE: "critical", Topic.ALERT: "error", Topic.TICKET: "warning", Topic.RELEASE: "info"}


@dataclass(frozen=True, slots=True)
class AnswerLinks:
    """Two addresses that answer a question, for one message alone: they are secret, and nothing keeps them."""

    yes: str = field(repr=False)
    no: str = field(repr=False)


def generic(notice: Notice, links: AnswerLinks | None = None) -> Mapping[str, Any]:
    """Everything, for whoever reads JSON."""
    answers = {} if links is None else {"approve_url": links.yes, "reject_url": links.no}
    return {
        **answers,
        "id": notice.id,
        "key": notice.key,
        "at": notice.at,
        "topic": notice.topic.value,
        "severity": severity(notice),
        "resolved": notice.resolved,
        "endpoint": notice.endpoint,
        "environment": notice.environment,
        "title": notice.title,
        "text": notice.text,
    }


def slack(notice: Notice, links: AnswerLinks | None = None) -> Mapping[str, Any]:
    """An incoming webhook of Slack's; `&`, `<` and `>` are its own signs."""
    text = notice.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    title = notice.title.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    answers = "" if links is None else f"\n<{links.yes}|Approve> or <{links.no}|Reject>"
    return {"text": f"{_sign(notice)} *{title}*\n{text}{answers}"}


def teams(notice: Notice, links: AnswerLinks | None = None) -> Mapping[str, Any]:
    """A workflow webhook of Teams: a message with an adaptive card."""
    colour = "Good" if notice.resolved else {"critical": "Attention", "error": "Attention"}.get(severity(notice))
    title = {"type": "TextBlock", "weight": "Bolder", "wrap": True, "text": f"{_sign(notice)} {notice.title}"}
    card: dict[str, Any] = {
        "type": "AdaptiveCard",
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "version": "1.4",
        "body": [
            title if colour is None else {**title, "color": colour},
            {"type": "TextBlock", "wrap": True, "text": notice.text},
        ],
    }
    if links is not None:
        opened = (("Approve", links.yes), ("Reject", links.no))
        card["actions"] = [{"type": "Action.OpenUrl", "title": title, "url": url} for title, url in opened]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def pagerduty(notice: Notice, routing_key: str, links: AnswerLinks | None = None) -> Mapping[str, Any]:
    """An event of PagerDuty's Events API v2; one `dedup_key` an alert, so that what is resolved closes it."""
    event = {
        "routing_key": routing_key,
        "event_action": "resolve" if notice.resolved else "trigger",
        "dedup_key": notice.key or notice.id,
    }
    if notice.resolved:
        return event
    details = {"text": notice.text, "environment": notice.environment}
    payload = {
        "summary": f"{notice.title}: {notice.text}"[:1024],
        "source": notice.endpoint,
        "severity": severity(notice),
        "component": notice.endpoint,
        "custom_details": details,
    }
    if links is None:
        return {**event, "payload": payload}
    opened = [{"href": links.yes, "text": "Approve"}, {"href": links.no, "text": "Reject"}]
    return {**event, "payload": payload, "links": opened}


def github(notice: Notice) -> Mapping[str, Any]:
    """An issue."""
    return {"title": notice.title, "body": body(notice), "labels": ["quarterdeck"]}


def azure(notice: Notice) -> list[Mapping[str, Any]]:
    """A work item, as a JSON patch."""
    fields = {"System.Title": notice.title[:255], "System.Description": body(notice), "System.Tags": "quarterdeck"}
    return [{"op": "add", "path": f"/fields/{name}", "value": value} for name, value in fields.items()]


def body(notice: Notice, links: AnswerLinks | None = None) -> str:
    """What an e-mail and a ticket say."""
    where = f"endpoint {notice.endpoint}, environment {notice.environment or 'unknown'}"
    answers = "" if links is None else f"Approve: {links.yes}\n\nReject: {links.no}\n\n"
    return f"{notice.text}\n\n{answers}{where}\nid {notice.id}\n"


def severity(notice: Notice) -> str:
    """How bad it is, as PagerDuty calls that."""
    if notice.resolved:
        return "info"
    return "warning" if notice.failed and notice.topic is Topic.RELEASE else SEVERITY[notice.topic]


def _sign(notice: Notice) -> str:
    if notice.resolved:
        return "✔"
    return {"info": "▶", "warning": "▲"}.get(severity(notice), "✖")
