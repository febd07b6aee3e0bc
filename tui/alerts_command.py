"""`quarterdeck alerts`, `silence` and `unsilence`: what rules found, what they will do, and who hears of it."""

import asyncio
import os
import re
import time
from collections.abc import Callable, Sequence
from typing import Any

from core.alerts.rules import Rule
from core.config.alerts import RULE_NAMES, rules
from core.config.config import endpoint_name
from core.domain.errors import BadInput, QuarterdeckError, Refused
from core.domain.hints import typed
from core.engine.project import READ_ONLY, Project
from core.notify.secrets import Unset
from core.notify.send import send
from core.state import commands as c
from core.state.alert import Alert, AlertState, Hush, Notice, Topic
from core.state.endpoint import Endpoint
from core.system.suggest import did_you_mean
from tui import format as as_text, receivers
from tui.headless import opened, unheard, watch_of
from tui.moments import iso
from tui.output import json_line

Write = Callable[[str], None]
_SPAN = re.compile(r"^(\d+(?:\.\d+)?) ?(s|m|min|h|d)$")
_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
QUIET = "quiet"


async def alerts(project: Project, write: Write, as_json: bool = False) -> int:
    """Every rule of the environment, a line each, then who is told."""
    settings = project.settings
    name = endpoint_name(settings)
    async with opened(project, read_only=True) as engine:
        endpoint, now = engine.snapshot.endpoint(name), engine.now()
    held = rules(settings.alerts, settings.production)
    rows = [_row(rule, endpoint, now) for rule in held]
    off = [rule for rule in RULE_NAMES if rule not in {one.name for one in held}]
    untold = [
        {
            "receiver": one.receiver,
            "notice": one.notice.id,
            "tries": one.tries,
            "why": one.why,
            "again_at": iso(failing.again_at) if (failing := endpoint.failing.get(one.receiver)) else None,
        }
        for one in endpoint.untold
    ]
    if as_json:
        told = {one: list(how.told_of) for one, how in settings.alerts.receivers.items()}
        document = {
            "endpoint": name,
            "rules": rows,
            "off": off,
            "receivers": told,
            "failing": receivers.failing_rows(endpoint, list(told), now),
            "untold": untold,
        }
        write(json_line(document))
        return 0
    for line in _table([[str(row[key]) for key in ("rule", "state", "for", "next", "what")] for row in rows]):
        write(line)
    if off:
        write(f"off: {', '.join(off)}")
    names = [f"{one} ({how.kind})" for one, how in settings.alerts.receivers.items()]
    write(f"told: {', '.join(names)}" if names else "told: nobody; name who under alerts.receivers")
    if (answers := settings.alerts.answers) is not None:
        write(f"links answer questions: {answers.url}, which the watch serves at {answers.host}:{answers.port}")
    for line in receivers.failing_lines(endpoint, list(settings.alerts.receivers), now):
        write(line)
    for one in endpoint.untold:
        write(f"not told yet: {one.receiver}: {one.notice.title}: {one.why or 'being told'}, try {one.tries + 1}")
    for line in await unheard(project):
        write(line)
    if await watch_of(project).status() is None:
        write("no watch runs: nobody looks; 'quarterdeck watch' starts one")
    return 0


def _row(rule: Rule, endpoint: Endpoint, now: float) -> dict[str, Any]:
    """A rule as it is: how far, for how long, what comes next and when, and what was measured."""
    alert, hush = endpoint.alerts.get(rule.name), endpoint.hushed.get(rule.name)
    hushed = hush if hush is not None and hush.until > now else None
    if alert is None or alert.state is AlertState.RESOLVED:
        what = f"resolved {as_text.about(now - alert.at)} ago: {alert.why}" if alert is not None else ""
        return {
            "rule": rule.name,
            "state": "silenced" if hushed else QUIET,
            "since": None,
            "for": as_text.NOTHING,
            "next": _quietly(rule, hushed),
            "due": None,
            "will": rule.will,
            "what": what,
            "did": "",
        }
    return {
        "rule": rule.name,
        "state": alert.state.value,
        "since": iso(alert.since),
        "for": as_text.about(now - alert.since),
        "next": next_of(alert, now),
        "due": iso(alert.due_at),
        "will": alert.will,
        "what": alert.why,
        "did": alert.did,
    }


def _quietly(rule: Rule, hush: Hush | None) -> str:
    if hush is not None:
        return f"silenced by {hush.by} until {as_text.clock(hush.until)}{': ' + hush.reason if hush.reason else ''}"
    after = f" after {as_text.about(rule.for_s)}" if rule.for_s else ""
    return f"{rule.will}{after}"


def next_of(alert: Alert, now: float) -> str:
    """What an alert that is not over does next, and in how long; what it did, where that is done."""
    left = as_text.span(alert.due_at - now)
    match alert.state:
        case AlertState.PENDING:
            return f"{alert.will} in {left}"
        case AlertState.SILENCED:
            return f"{alert.will}, for {left}"
        case _:
            return alert.did or f"told; again in {left}"


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows in columns, the last as long as it is."""
    whole = [("rule", "state", "for", "next", "measured"), *rows]
    widths = [max(len(row[place]) for row in whole) for place in range(4)]
    return ["  ".join([*(row[i].ljust(widths[i]) for i in range(4)), row[4]]).rstrip() for row in whole]


async def test(project: Project, write: Write) -> int:
    """A message to each receiver, from here: whoever is told by the watch needs its variables there too."""
    settings = project.settings
    if settings.read_only:
        raise Refused(f"alerts --test: {settings.environment}: {READ_ONLY}")
    named = settings.alerts.receivers
    if not named:
        raise BadInput("nobody is told: name who under alerts.receivers in quarterdeck.yaml")
    name, at = endpoint_name(settings), time.time()
    text = "nothing is wrong: somebody asked whether this arrives"
    notice = Notice(f"{name}/test/{at:.0f}", at, Topic.ALERT, name, settings.environment, f"{name}: a test", text)

    async def told(receiver: str) -> str:
        try:
            await send(named[receiver], notice, os.environ)
        except Unset as error:
            return f"{error} in this shell; whether the watch has it, {typed('alerts')} says"
        except QuarterdeckError as error:
            return str(error)
        return ""

    whys = await asyncio.gather(*(told(one) for one in named))
    for receiver, why in zip(named, whys, strict=True):
        write(f"{'✖' if why else '✔'} {receiver} ({named[receiver].kind}){': ' + why if why else ' took it'}")
    return 1 if any(whys) else 0


async def silence(project: Project, rule: str, lasts: str, reason: str, write: Write) -> int:
    """A rule does and tells nothing for a while; an empty `lasts` ends that."""
    if rule not in RULE_NAMES:
        raise BadInput(f"{rule}: is no rule{did_you_mean(rule, list(RULE_NAMES))}; one of {', '.join(RULE_NAMES)}")
    seconds = seconds_of(lasts) if lasts else 0.0
    if seconds and not reason.strip():
        raise BadInput('silence: say why: --reason "TEXT"')
    name = endpoint_name(project.settings)
    async with opened(project) as engine:
        await engine.do(c.SilenceAlert(name, rule, seconds, reason))
        until = engine.now() + seconds
    write(f"{name}: {rule} is silent until {as_text.clock(until)}" if seconds else f"{name}: {rule} speaks again")
    return 0


def seconds_of(text: str) -> float:
    """`90s`, `30m`, `1h` or `2d` in seconds; raises BadInput."""
    match = _SPAN.match(text.strip())
    seconds = float(match[1]) * _UNITS[match[2]] if match is not None else 0.0
    if not 0 < seconds <= 30 * 86400:
        raise BadInput(f"--for {text}: say how long as 90s, 30m, 1h or 2d, 30 days at most")
    return seconds
