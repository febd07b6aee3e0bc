"""Why a message that still waits to be told holds no more. Pure."""

from core.state.alert import Alert, AlertState, Notice, OpenQuestion, Untold
from core.state.endpoint import Endpoint
from core.state.release import Release, ReleaseState
from core.state.snapshot import Snapshot

LATE_S = 60.0
"""So long after it came true a message is late: what followed it meanwhile is told instead."""


def key_of(endpoint: str, alert: Alert) -> str:
    """What all messages of one alert have in common."""
    return f"{endpoint}/{alert.rule}/{alert.since:.0f}"


def id_of(endpoint: str, alert: Alert) -> str:
    """The message of the state that an alert is in."""
    return f"{key_of(endpoint, alert)}/{alert.state.value}{alert.times or ''}"


def question_over(release: Release, question: OpenQuestion, now: float) -> str:
    """Why a question is open no more; empty while it is."""
    step = release.steps[question.index] if question.index < len(release.steps) else None
    if step is None or step.question is None or step.question.until != question.until:
        return "That question is no longer open."
    if step.answer is not None:
        return f"That question was answered already, with {'yes' if step.answer else 'no'}; a link works once."
    if now >= question.until:
        return "Nobody answered in time: that question is no longer open."
    if release.state is not ReleaseState.RUNNING or release.index != question.index:
        return "That question is no longer open: the release has gone on without an answer."
    return ""


def overtaken(one: Untold, snapshot: Snapshot, now: float) -> str:
    """Why it would be told as if it stood; empty while it stands, and of what only tells how something ended."""
    notice = one.notice
    release = snapshot.releases.get(notice.key)
    if notice.question is not None:
        return "the question is open no more" if _closed(release, notice.question, now) else ""
    if one.tries == 0 and now - notice.at <= LATE_S:
        return ""
    if release is not None:
        began = notice.id == f"{release.id}/{release.began_seq}"
        return "the release has ended" if began and not release.live else ""
    return _went_on(notice, snapshot.endpoint(notice.endpoint))


def _closed(release: Release | None, question: OpenQuestion, now: float) -> bool:
    return release is None or question_over(release, question, now) != ""


def _went_on(notice: Notice, endpoint: Endpoint) -> str:
    """Of one alert the newest message stands, and so does each of its end and of what was done."""
    if notice.resolved or notice.id.rpartition("/")[2].startswith(AlertState.ACTED.value):
        return ""
    alerts = endpoint.alerts.values()
    alert = next((one for one in alerts if key_of(endpoint.name, one) == notice.key), None)
    if alert is None or alert.state is AlertState.RESOLVED:
        return "the alert is over"
    return "" if id_of(endpoint.name, alert) == notice.id else f"the alert went on: {alert.state.value}"
