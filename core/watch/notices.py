"""What people are told: of alerts, and of releases that began, ended or wait for them. Pure."""

from core.config.alerts import AlertSettings
from core.domain.hints import typed
from core.state import events as ev
from core.state.alert import Alert, AlertState, Notice, OpenQuestion, Topic
from core.state.snapshot import Snapshot
from core.system.text import rough
from core.watch.overtaken import id_of, key_of

QUIET = (AlertState.PENDING, AlertState.SILENCED)


def receivers(settings: AlertSettings, topic: Topic) -> tuple[str, ...]:
    """Who is told of a topic, by name."""
    return tuple(name for name, one in settings.receivers.items() if topic.value in one.told_of)


def of_alert(alert: Alert, before: Alert | None, endpoint: str, environment: str) -> Notice | None:
    """What to tell of an alert; None of what is only pending or silenced, and of its end."""
    resolved = alert.state is AlertState.RESOLVED
    told = before is not None and (before.burns or before.did != "")
    if alert.state in QUIET or (resolved and not told):
        return None
    # The time to the telling counts from when it had lasted long enough.
    due_at = before.due_at if before is not None and before.state is AlertState.PENDING else alert.at
    title = f"{endpoint}: {alert.rule} {alert.state.value}"
    lasted = f", after {rough(max(0.0, alert.at - alert.since))}" if resolved else ""
    then = f"; {alert.did}" if alert.did and not resolved else f"; {alert.will}" if alert.will else ""
    text = f"{alert.why}{then}{lasted}"
    id_, key = id_of(endpoint, alert), key_of(endpoint, alert)
    return Notice(id_, due_at, alert.topic, endpoint, environment, title, text, key, resolved)


def of_event(event: ev.Event, snapshot: Snapshot) -> Notice | None:
    """What to tell of a release; None of what is no news."""
    body = event.body
    release = snapshot.releases.get(getattr(body, "release", None) or "")
    if release is None:
        return None
    topic, endpoint = Topic.RELEASE, release.endpoint
    label = release.version.label if release.version is not None else "a version"
    asks, failed = None, False
    match body:
        case ev.Began(plan=plan):
            what, text = "begins", f"{event.who} began {release.id}, {plan.strategy}"
        case ev.Asked(index=index, question=question, until=until):
            left, asks = rough(max(0.0, until - event.at)), OpenQuestion(release.id, index, until)
            ways = f"{typed('approve', release.environment)}, or {typed('reject', release.environment)}"
            what, text = "waits for you", f"{question} Answer within {left}: {ways}"
        case ev.Ended(outcome=ev.Outcome.DONE):
            what, text = "is done", f"{label} serves"
        case ev.Ended(outcome=outcome, why=why):
            what, text = f"ended: {outcome.value}", f"{label}: {why or outcome.value}"
            failed, topic = True, Topic.PAGE if outcome is ev.Outcome.STUCK else topic
        case _:
            return None
    id_ = f"{release.id}/{event.seq}"
    title = f"{endpoint}: release {what}"
    return Notice(
        id_, event.at, topic, endpoint, release.environment, title, text, release.id, question=asks, failed=failed
    )
