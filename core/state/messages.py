"""Events in words, for the log pane and for plain lines. One wording for every face."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from core.domain.gates import GateResult, Verdict
from core.domain.load_profile import LoadOutcome
from core.domain.model import Level
from core.domain.plan import title
from core.domain.sample import Sample
from core.state import events as ev
from core.state.alert_messages import of_alert
from core.system.text import counted, rough

ENDS_WELL = {LoadOutcome.FINISHED, LoadOutcome.SHAPE_ENDED, LoadOutcome.STOPPED, LoadOutcome.LET_GO}
MOST_KINDS = 5
LONG_MS = 10_000.0


@dataclass(frozen=True, slots=True)
class Message:
    """What an event is about, what it says, and how loud: `info`, `warning` or `error`."""

    source: str
    text: str
    level: str = "info"


def share(weights: Mapping[str, float]) -> str:
    """Traffic weights as people say them: `blue 90 %, green 10 %`."""
    return ", ".join(f"{slot} {weight:g} %" for slot, weight in sorted(weights.items())) or "no slot"


def _moment(at: float) -> str:
    """A moment with its day; a year that no clock knows must not break what reads the journal."""
    try:
        return time.strftime("on %d %b %H:%M:%S", time.localtime(at))
    except (OSError, OverflowError, ValueError):
        return "some day"


def judged(verdicts: tuple[Verdict, ...]) -> str:
    """The verdicts that matter most, shortest way: what fails, else what is open, else that all hold."""
    for outcome, word in ((GateResult.FAIL, "fails"), (GateResult.ERROR, "error"), (GateResult.INCONCLUSIVE, "waits")):
        found = [v for v in verdicts if v.outcome is outcome and not v.gate.dry_run]
        if found:
            return f"{word}: " + "; ".join(f"{v.gate.name} {v.why}" for v in found[:3])
    return f"{sum(v.outcome is GateResult.PASS and not v.gate.dry_run for v in verdicts)} gates hold"


def kinds(total: Sample) -> tuple[str, ...]:
    """What failed in a load and what its own code raised, each with its most frequent kinds."""
    found = (("failed", total.failed), ("exceptions", total.errors))
    return tuple(f"{sum(counts.values()):,} {word}: {_top(counts)}" for word, counts in found if counts)


def _top(counts: Mapping[str, int]) -> str:
    ranked = sorted(counts.items(), key=lambda kind: -kind[1])
    more = len(ranked) - MOST_KINDS
    said = [f"{kind} ({count:,})" for kind, count in ranked[:MOST_KINDS]]
    return ", ".join(said) + (f" and {more} more" if more > 0 else "")


def message_of(event: ev.Event, titles: tuple[str, ...] = ()) -> Message | None:
    """What an event says; None for what a chart or a pane shows better. `titles` names the release's steps."""
    body = event.body
    if isinstance(body, ev.Unreadable):
        how = "a figure is missing" if not body.lasting else "'quarterdeck audit --verify' goes through all of it"
        return Message("journal", f"event {event.seq} can't be read: {body.why}; {how}", "error")
    return _of_release(event, titles) if hasattr(body, "release") else _of_endpoint(body, event.who)


def _of_release(event: ev.Event, titles: tuple[str, ...]) -> Message | None:  # noqa: C901, PLR0912
    who, body = event.who, event.body
    index = getattr(body, "index", None)
    step = titles[index] if index is not None and 0 <= index < len(titles) else "step"
    match body:
        case ev.Began(plan=plan, endpoint=endpoint, together=together):
            steps = len({title(step) for step in plan.steps})
            beside = ", ".join(name for name in together if name != endpoint)
            with_them = f", together with {beside}" if beside else ""
            return Message("release", f"{who} began {plan.strategy} on {endpoint}, {steps} stages{with_them}")
        case ev.Reached(waits_for=other):
            return Message(step, f"could go on; waits for {other}")
        case ev.StepStarted():
            return Message(step, "begins")
        case ev.StepDone(figure=figure):
            return Message(step, f"done{': ' + figure if figure else ''}")
        case ev.StepFailed(why=why):
            return Message(step, why, "error")
        case ev.AskFailed(why=why, times=times):
            # What to do about it stood in the first of these lines.
            said = why.partition("; ")[0] if times > 1 else why
            return Message("target" if index is None else step, f"{said}; asked again{_tries(times)}", "warning")
        case ev.Grew(replicas=replicas):
            return Message("endpoint", f"a way back brings {counted(replicas, 'replica')}, as many as serve now")
        case ev.Chose(version=version):
            return Message("release", f"of {version.model} {version.label}")
        case ev.Placed(slot=slot, old=old, old_version=old_version):
            beside = f" beside {old} {old_version.label}" if old and old_version else ""
            return Message("endpoint", f"goes to {slot}{beside}")
        case ev.Applied(slot=slot):
            return Message("endpoint", f"{slot} gets its replicas back")
        case ev.Asked(question=question):
            return Message("asks", question, "warning")
        case ev.Answered(yes=yes):
            return Message("answer", f"{who}: {'yes' if yes else 'no'}{_for(body)}")
        case ev.Paused():
            return Message("release", f"{who} paused{_for(body)}", "warning")
        case ev.Resumed(step_by_step=by_step):
            return Message("release", f"{who} resumed{', step by step' if by_step else ''}{_for(body)}")
        case ev.Waved():
            return Message(step, f"{who}: next{_for(body)}")
        case ev.TurnedBack(why=why, outcome=outcome):
            if outcome not in (ev.Outcome.ROLLED_BACK, ev.Outcome.ABORTED):
                return Message("back", why, "error")
            # Nothing has moved yet.
            begins = {"rolled back": "rolling back", "aborted": "aborting"}.get(why, why)
            return Message("back", f"{begins}, asked by {who}{_for(body)}", "warning")
        case ev.SteppedBack(share=share_, left=left, why=why):
            rest = "" if why else f"; then {', '.join(f'{one:g} %' for one in (*left, 0.0))}"
            return Message("back", f"{why or f'{share_:g} % is proved'}{rest}")
        case ev.TruthTold(sides=sides, source=source):
            right = ", ".join(f"v{number} in {told}" for number, told in sides.items())
            return Message("truth", f"right: {right}{f', by {source}' if source else ''}")
        case ev.Reasoned(reason=reason):
            return Message("reason", f"{who}: {reason}")
        case ev.TurnedForward():
            return Message("undo", f"{who} takes the rollback back{_for(body)}", "warning")
        case ev.Retried():
            return Message("release", f"{who} tries again{_for(body)}")
        case ev.Aliased(back=back, why=why):
            if why:
                return Message("registry", why, "warning")
            return Message("registry", "aliases restored" if back else "aliases moved")
        case ev.Ended(outcome=outcome, why=why):
            level = "info" if outcome is ev.Outcome.DONE else "warning"
            more = f": {why}" if why and why != outcome.value else ""
            return Message("release", f"{outcome.value}{more}", level)
        case ev.Reported(folder=folder):
            return Message("summary", f"report in {folder}")
        case ev.Judged(verdicts=verdicts):
            bad = any(v.outcome is GateResult.FAIL and not v.gate.dry_run for v in verdicts)
            return Message("gates", judged(verdicts), "error" if bad else "info")
        case ev.Routed() | ev.Verified() | ev.Removed() | ev.Pended():
            return _of_endpoint(body, who)
        case _:
            return None


def _proved(took_ms: float) -> str:
    """Milliseconds, unless what was asked before it took long to get out of the way."""
    return f"{took_ms:.0f} ms" if took_ms < LONG_MS else rough(round(took_ms / 1000))


def _of_endpoint(body: ev.Body, who: str) -> Message | None:  # noqa: C901, PLR0912
    match body:
        case ev.Verified(weights=weights, took_ms=took, answers=answers, since=since):
            text = f"{share(weights)}, verified {_proved(took)} after the {since} by {answers} answers"
            return Message("traffic", text)
        case ev.Drilled(to=to, back_ms=back_ms, forward_ms=forward_ms, requests=requests, failed=failed, copy=copy):
            went = f"to {to.label} in {back_ms:.0f} ms and forward again in {forward_ms:.0f} ms"
            where = f" on a copy, {copy}" if copy else ""
            return Message("drill", f"the way back is proven{where}: {went}, {failed} of {requests} requests failed")
        case ev.RetireDue(slot=slot, at=due):
            return Message("retire", f"{slot} goes {_moment(due)}")
        case ev.Removed(slot=slot):
            return Message("retire", f"{slot} drains and goes")
        case ev.Resized(slot=slot, replicas=replicas, why=why):
            by_hand = (
                f"{slot} does not get {replicas} replicas: {why}" if why else f"{slot} to {replicas}: asked by hand"
            )
            return Message("scaling", by_hand, "warning")
        case ev.Pended(why=why) if why:
            return Message(*_left(body))
        case ev.Alerted() | ev.Silenced() | ev.Told() | ev.TellingFailed() | ev.Overtaken():
            told = of_alert(body, who)
            return Message(*told) if told is not None else None
        case ev.Acted(what=what):
            return Message("endpoint", f"{who}: {what}{_for(body)}")
        case ev.OtherDrove(other=other):
            # Where a release was under way here, its end says it.
            silent = not other.by or bool(other.took)
            return None if silent else Message("endpoint", f"driven by {other.by}: {share(other.weights)}", "warning")
        case ev.Opened(url=url):
            return Message("endpoint", f"answers at {url}")
        case ev.Looked(scaled=scaled) if scaled.before != scaled.after:
            text = f"{scaled.slot} {scaled.before} → {scaled.after}: {scaled.reason}"
            return Message("scaling", text, "warning")
        case ev.Remarked(noted=noted):
            level = {Level.INFO: "info", Level.WARNING: "warning", Level.ERROR: "error"}[noted.level]
            return Message(noted.source or noted.slot or "target", noted.text, level)
        case ev.Logged(source=source, text=text):
            return Message(source, text)
        case ev.LoadStarted(source=source) if source.attach:
            return Message("load", f"follows the Locust at {source.attach}")
        case ev.LoadStarted(kind=kind, profile=profile, label=label):
            stretch = "" if profile.duration_s is None else f" for {profile.duration_s:g} s"
            return Message("load", f"{kind}: {profile.users} users{stretch}{' · ' + label if label else ''}")
        case ev.LoadWanted():
            return Message("load", f"{who}: {_wanted(body)}")
        case ev.LoadEnded(kind=kind, why=why, how=how, total=total):
            said = [f"{kind} load ended{': ' + why if why else ''}", *(kinds(total) if total is not None else ())]
            bad = how not in ENDS_WELL or any(v.outcome is GateResult.FAIL for v in body.verdicts)
            return Message("load", " · ".join(said), "warning" if bad else "info")
        case _:
            return None


def _left(body: ev.Pended) -> tuple[str, str, str]:
    """Whose it is, what is still to be done and why, and how loud."""
    match body.kind:
        case ev.PendingKind.ALIASES:
            text = f"aliases are not moved {'back' if body.back else 'forward'} yet: {body.why}"
            return "registry", f"{text}; tried again until they are", "warning"
        case ev.PendingKind.REPORT:
            return "summary", f"no report: {body.why}; tried again", "warning"
        case ev.PendingKind.REMOVAL:
            return "retire", f"{body.slot} stays: {body.why}; tried again later", "warning"
        case ev.PendingKind.REPLICAS:
            text = f"{body.slot} has not got its {body.replicas} replicas back yet: {body.why}"
            return "endpoint", f"{text}; tried again", "warning"
        case ev.PendingKind.SIZE:
            return "scaling", f"{body.slot} is not at {body.replicas} replicas yet: {body.why}; tried again", "warning"


def _for(body: ev.Body) -> str:
    """The reason that was given, if one was."""
    reason = getattr(body, "reason", "")
    return f": {reason}" if reason else ""


def _tries(times: int) -> str:
    return f", {times} times so far" if times > 1 else ""


def _wanted(body: ev.LoadWanted) -> str:
    parts = [
        f"{body.users} users" if body.users is not None else "",
        f"{body.spawn_rate:g} a second" if body.spawn_rate is not None else "",
        {True: "paused", False: "resumed", None: ""}[body.paused],
        "figures reset" if body.reset else "",
        "stop" if body.stop else "",
    ]
    return ", ".join(part for part in parts if part)
