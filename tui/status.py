"""`quarterdeck status`: one screen that says what runs where."""

import contextlib
import os
import time
from collections.abc import Iterable
from urllib.parse import urlsplit

from core.config.config import mlflow_ui_line
from core.domain.errors import Unreachable
from core.domain.model import Observation
from core.domain.plan import title
from core.engine import shell_variables
from core.engine.project import Project
from core.journal.journal import Holder
from core.journal.leases import BEAT_S
from core.state.fold import fold_all
from core.state.release import Release
from core.state.snapshot import Snapshot
from core.targets.local.client import listing
from core.targets.local.keys import read_key
from core.targets.local.spec import exposed
from core.targets.local.wire import HostStatus
from tui.environments import proven, side_by_side
from tui.headless import replaced, watch_of

VARIABLE = "MLFLOW_TRACKING_URI"


async def lines_of(project: Project) -> list[str]:
    """What runs, as lines. Starts nothing but a watch that ended without being asked to."""
    settings = project.settings
    names = project.by_endpoint()
    # First the journal: a project that was moved or copied is told apart there.
    with contextlib.closing(project.journal()) as journal:
        snapshot = fold_all(journal.recent(journal.clock.now()))
        hosts = {host.endpoint: host for host in await listing(settings.folder)}
        # Where one was stopped on purpose, looking starts none.
        left = (
            not project.read_only and watch_of(project).place.was_there and any(host.slots for host in hosts.values())
        )
        watch = await _watch(project, needed=left and not project.read_only)
        # Only now: a watch that hung was replaced, and drives no more.
        holders = {name: journal.holder(name) for name in names}
        _, jump = journal.clock.jump()
        now = journal.clock.now()
    notices = [text for text in (project.notice, jump) if text]
    lines: list[str] = [*notices, ""] if notices else []
    for name, own in names.items():
        release = snapshot.release_of(name)
        host = hosts.get(name)
        if host is None and release is None:
            continue
        lines += [f"{name} · {own.environment}{' · production' if own.production else ''} · local", *_host(host)]
        lines += [f"  release  {_release(release)}"] if release else []
        pending = snapshot.endpoint(name).pending
        lines += [f"  pending  {one.what}: {one.why or 'being tried'}, try {one.tries}" for one in pending]
        if snapshot.endpoint(name).serving is not None:
            lines.append(f"  drill    {proven(snapshot.endpoint(name), own.drill.max_age_s, now)[0]}")
        holder = holders[name]
        if holder is not None and (holder.alive or holder.hangs):
            lines.append(f"  driver   {holder.label}{' (watches)' if holder.weak else ''}{_silence(holder)}")
        lines.append("")
    if len(lines) <= len(notices) + bool(notices):
        return [f"{settings.folder}: nothing was released yet; begin with 'quarterdeck release'"]
    beside = side_by_side(snapshot, {own.environment: name for name, own in names.items()}, now)
    return [*beside, *([""] if beside else []), *lines, watch, *registries(project, snapshot)]


def registries(project: Project, snapshot: Snapshot) -> list[str]:
    """Where models are kept: what each endpoint's last release found in its settings and its shell, not in this one."""
    found: dict[str, list[str]] = {}
    for name in project.by_endpoint():
        release = snapshot.release_of(name)
        began = project.began(release.options) if release else None
        if release is None or began is None:
            continue
        kept = shell_variables.environ(began, release.options.get(shell_variables.NAME, ""))
        line = mlflow_ui_line(began, kept)
        if VARIABLE in line and kept.get(VARIABLE) != os.environ.get(VARIABLE):
            line += f"  with {VARIABLE} as in the shell of {release.id}"
        found.setdefault(line, []).append(name)
    if len(found) <= 1:
        return [f"models: {line}" for line in found or (mlflow_ui_line(project.settings),)]
    return [f"models of {', '.join(names)}: {line}" for line, names in found.items()]


async def _watch(project: Project, needed: bool) -> str:
    """Who steers the project's releases, and since when."""
    client = watch_of(project)
    try:
        status = await (client.ensure() if needed or (client.wanted and not project.read_only) else client.status())
    except Unreachable as error:
        return f"watch: {error}"
    if status is None:
        return "watch: none; the next release starts one, or 'quarterdeck watch'"
    told = replaced(client)
    return f"watch: process {status.pid}, steers since {_clock(status.started_at)}{f'; {told}' if told else ''}"


def _silence(holder: Holder) -> str:
    if not holder.hangs:
        return ""
    return f": no sign of life for {holder.silent_s:.0f} s; another takes over {BEAT_S:g} s after its last"


def _clock(at: float) -> str:
    return time.strftime("%d %b %H:%M:%S", time.localtime(at))


def _host(host: HostStatus | None) -> Iterable[str]:
    if host is None:
        return ["  host     none: nothing is served"]
    where = f"{host.url}  process {host.pid}" if host.alive else f"not running: {host.why}"
    if host.alive and host.started_at is not None:
        where += f"  up {span(time.time() - host.started_at)}"
    warning = exposed(urlsplit(host.url).hostname or "", read_key(host.folder)) if host.alive else ""
    warned = [f"  warning  {warning}"] if warning else []
    return [f"  host     {where}", *warned, *(f"  {line}" for seen in host.slots for line in _slot(seen))]


def _slot(seen: Observation) -> list[str]:
    version = f"{seen.version.model} {seen.version.label}" if seen.version else "empty"
    copied = f"  mirror {seen.mirror:g} %" if seen.mirror else ""
    ready = f"{seen.ready}/{seen.wanted} ready"
    lines = [f"{seen.slot:<8} {version:<16} {seen.weight:5.1f} %{copied}  {ready}  {seen.why}".rstrip()]
    for replica in seen.replicas:
        cpu = f"{replica.cpu_m:.0f}m" if replica.cpu_m is not None else "-"
        memory = f"{replica.memory_mb:.0f} MB" if replica.memory_mb is not None else "-"
        text = f"  {replica.name:<12} {replica.state.value:<9} cpu {cpu:>5}  memory {memory:>7}"
        lines.append(f"{text}  restarts {replica.restarts}  {replica.why}".rstrip())
    return lines


def _release(release: Release) -> str:
    version = release.version.label if release.version else "no version yet"
    if release.live:
        step = title(release.current.step) if release.current else "its end"
        return f"{release.id}  {version}  {release.state.value}, at {step}"
    outcome = release.outcome.value if release.outcome else "over"
    why = f": {release.why}" if release.why not in ("", outcome) else ""
    reason = f"  reason: {release.reason}" if release.reason else ""
    return f"{release.id}  {version}  {outcome}{why}{reason}"


def span(seconds: float) -> str:
    """Seconds as `m:ss` or `h:mm:ss`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
