"""What was known when an alert went back by itself, in a file that people can add to."""

import time
from pathlib import Path

from core.alerts.rules import Rule
from core.config.config import STATE
from core.domain.errors import Failed
from core.state.alert import Alert
from core.state.messages import share
from core.state.snapshot import Snapshot

FOLDER = "incidents"
LINES = 60


def write_incident(folder: Path, snapshot: Snapshot, endpoint: str, rule: Rule, alert: Alert, now: float) -> Path:
    """The path of the new file, from the project's folder on; raises Failed where it can't be written."""
    name = f"{time.strftime('%Y%m%d-%H%M%S', time.localtime(now))}-{endpoint}-{rule.name}.md"
    try:
        (folder / FOLDER).mkdir(parents=True, exist_ok=True)
        (folder / FOLDER / name).write_text("\n".join(_lines(snapshot, endpoint, rule, alert, now)), encoding="utf-8")
    except OSError as error:
        raise Failed(f"{folder / FOLDER / name}: can't be written: {error.strerror or error}") from error
    return Path(STATE) / FOLDER / name


def _lines(snapshot: Snapshot, endpoint: str, rule: Rule, alert: Alert, now: float) -> list[str]:
    known, release = snapshot.endpoint(endpoint), snapshot.release_of(endpoint)
    rows = [
        f"# {endpoint}: {rule.name}",
        "",
        f"- true since {_moment(alert.since)}, went back at {_moment(now)}",
        f"- measured: {alert.why}",
        f"- traffic: {share(known.weights)}",
    ]
    if release is not None:
        new = release.version.label if release.version is not None else "a version"
        old = release.old_version.label if release.old_version is not None else "nothing"
        rows.append(f"- release {release.id} of {new}, begun by {release.by}; back to {old}")
    for slot, seen in sorted(known.slots.items()):
        version = seen.version.label if seen.version is not None else "no version"
        rows.append(f"- {slot}: {version}, {seen.ready} of {seen.due} ready, {seen.weight:g} %")
        rows += [f"  - {one.name}: {one.state.value} {one.why}".rstrip() for one in seen.replicas if one.why]
    said = [line for line in snapshot.log if line.endpoint in ("", endpoint)][-LINES:]
    log = [f"{_moment(line.at)} {line.source}: {line.text}" for line in said]
    return [*rows, "", "## What was said last", "", *(f"    {line}" for line in log), ""]


def _moment(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
