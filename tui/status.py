"""`quarterdeck status`: one screen that says what runs where."""

import contextlib
import os
import time
from collections.abc import Iterable

from core.config.config import mlflow_ui_line
from core.domain.errors import Unreachable
from core.domain.model import Observation, Replica, ReplicaState
from core.domain.plan import title
from core.engine import shell_variables
from core.engine.project import Project
from core.journal.journal import Holder
from core.journal.leases import BEAT_S
from core.rollout.sides import by_truth
from core.state.endpoint import Endpoint
from core.state.fold import fold_all
from core.state.moved_place import serves_elsewhere
from core.state.release import Release, ReleaseState
from core.state.right_answers import sides_of
from core.state.snapshot import Snapshot
from core.state.together import waiting
from core.system.text import span
from core.targets.kinds import Standing, standing
from core.training.unwanted import unwanted_lines
from tui.asked_place import as_of
from tui.awaiting import awaiting_lines
from tui.environments import of_each, proven
from tui.format import about
from tui.headless import replaced, watch_of
from tui.kept import stays
from tui.misplaced import gone_lines, idle_lines, moved_lines, unscaled_lines
from tui.real_weights import real_weights, share
from tui.receivers import failing_lines
from tui.taking_down import costs_line

UNREAD = "journal"
"""What a line of the log is about that says of an event that it can't be read."""
SOON_S = 90.0
"""A cluster's metrics API says what a pod uses once it has looked twice, every 15 to 60 s."""
VARIABLE = "MLFLOW_TRACKING_URI"


async def lines_of(project: Project) -> list[str]:
    """What runs, as lines. Starts nothing but a watch that ended without being asked to."""
    settings = project.settings
    meant = project.meant
    names = {name: own for name, own in project.by_endpoint().items() if not meant or name in meant}
    # First the journal: a project that was moved or copied is told apart there.
    with contextlib.closing(project.journal()) as journal:
        snapshot = fold_all(journal.recent(journal.clock.now()))
        places = {one.endpoint: one for one in await standing(settings.folder, list(names.values()))}
        # Where one was stopped on purpose, looking starts none.
        left = not project.read_only and watch_of(project).place.was_there and any(one.slots for one in places.values())
        watch = await _watch(project, needed=left and not project.read_only)
        # Only now: a watch that hung was replaced, and drives no more.
        holders = {name: journal.holder(name) for name in names}
        _, jump = journal.clock.jump()
        now = journal.clock.now()
    unread = [line.text for line in snapshot.log if line.source == UNREAD]
    notices = [text for text in (project.notice, jump, *unread[-1:]) if text]
    lines: list[str] = [*notices, ""] if notices else []
    # Where anything was released, a place that can't be asked and that nothing was released to is no news.
    others = not meant and any(snapshot.release_of(name) is not None for name in names)
    for name, own in names.items():
        release = snapshot.release_of(name)
        place = places.get(name)
        if release is None and (place is None or (others and _unheard_of(place, snapshot))):
            continue
        moved = serves_elsewhere(snapshot.endpoint(name), own.where)
        lines += [
            f"{name} · {own.environment}{' · production' if own.production else ''} · {own.where}",
            *stands(place, snapshot, name, now),
            *([f"  ! place  {moved}"] if moved else gone_lines(place, snapshot, name, now)),
            *([] if moved else moved_lines(place, snapshot, name, now)),
            *idle_lines(place, own.environment),
            *unscaled_lines(place, own.environment),
            *costs_line(place, snapshot, project, own),
        ]
        lines += [f"  release  {release_line(release, own.model)}"] if release else []
        lines += awaiting_lines(release, project, own, now) if release else []
        lines += _together(release, snapshot, now) if release else []
        lines += _truth(release) if release else []
        pending = snapshot.endpoint(name).pending
        lines += [f"  pending  {one.what}: {one.why or 'being tried'}, try {one.tries}" for one in pending]
        unheard = failing_lines(snapshot.endpoint(name), list(own.alerts.receivers), now)
        lines += [f"  ! told   {line}" for line in unheard]
        lines += [f"  ! job    {line}" for line in unwanted_lines(own, name)]
        if snapshot.endpoint(name).serving is not None:
            drill = project.typed("drill", own)
            lines.append(f"  drill    {proven(snapshot.endpoint(name), own.drill.max_age_s, now, drill)[0]}")
        holder = holders[name]
        if holder is not None and (holder.alive or holder.hangs):
            lines.append(f"  driver   {holder.label}{' (watches)' if holder.weak else ''}{_silence(holder)}")
        lines.append("")
    if len(lines) <= len(notices) + bool(notices):
        return [f"{settings.folder}: nothing was released yet; begin with 'quarterdeck release'"]
    beside = of_each(snapshot, {name: own.environment for name, own in names.items()}, now)
    return [*beside, *([""] if beside else []), *lines, watch, *registries(project, snapshot)]


def _unheard_of(place: Standing, snapshot: Snapshot) -> bool:
    """Whether nothing is known of what stands at an endpoint, and its place can't be asked."""
    return bool(place.unknown) and not snapshot.endpoint(place.endpoint).slots


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


def stands(place: Standing | None, snapshot: Snapshot, name: str, now: float) -> Iterable[str]:
    if place is None:
        return ["  serves   nothing stands there"]
    endpoint = snapshot.endpoint(name)
    if place.unknown:
        return [f"  {line}" for line in (*place.lines, *_known(snapshot, endpoint, now))]
    real = real_weights(snapshot, name, now)
    slots = (
        line
        for seen in place.slots
        for line in _slot(seen, real.get(seen.slot), stays(snapshot, endpoint, seen, now), now)
    )
    return [f"  {line}" for line in (*place.lines, *slots)]


def _known(snapshot: Snapshot, endpoint: Endpoint, now: float) -> Iterable[str]:
    """What was last heard of a place that can't be asked, where anything stood there."""
    held = [
        f"{seen.slot} {seen.version.model} {seen.version.label} {seen.weight:g} %, {seen.ready}/{seen.due} ready"
        for seen in endpoint.slots.values()
        if seen.version is not None
    ]
    if held:
        since = about(max(0.0, now - as_of(snapshot, endpoint.name)))
        yield f"known    {'; '.join(held)}, as of {since} ago; it goes on there without this machine"


def _slot(seen: Observation, real: float | None, kept: str, now: float) -> list[str]:
    version = f"{seen.version.model} {seen.version.label}" if seen.version else "empty"
    copied = f"  mirror {seen.mirror:g} %" if seen.mirror else ""
    ready = f"{seen.ready}/{seen.due} ready"
    lasts = f"{f'  {seen.costs}' if seen.costs else ''}{f'  {kept}' if kept else ''}"
    weights = f"{seen.weight:5.1f} %  real {share(real):>7}{copied}"
    lines = [f"{seen.slot:<8} {version:<16} {weights}  {ready}{lasts}  {seen.why}".rstrip()]
    for replica in seen.replicas:
        unknown = "soon" if _measured_soon(replica, now) else "-"
        cpu = f"{replica.cpu_m:.0f}m" if replica.cpu_m is not None else unknown
        memory = f"{replica.memory_mb:.0f} MB" if replica.memory_mb is not None else unknown
        text = f"  {replica.name:<12} {replica.state.value:<9} cpu {cpu:>5}  memory {memory:>7}"
        restarts = replica.restarts if replica.told else "-"
        why = replica.why if replica.why != seen.why else ""
        lines.append(f"{text}  restarts {restarts}  {why}".rstrip())
    return lines


def _measured_soon(replica: Replica, now: float) -> bool:
    """Whether what it uses is not known yet because it has just come. This machine measures each second."""
    young = replica.since is None or now - replica.since < SOON_S
    return young and replica.told and replica.state in (ReplicaState.STARTING, ReplicaState.READY)


def release_line(release: Release, model: str) -> str:
    """Of which version it is and how far, or how it ended."""
    label = release.version.label if release.version and release.version.model == model else ""
    version = label or (release.version.full if release.version else "no version yet")
    if release.live:
        step = title(release.current.step) if release.current else "its end"
        by_step = ", step by step" if release.step_by_step and release.state is ReleaseState.RUNNING else ""
        return f"{release.id}  {version}  {release.state.value}, at {step}{by_step}"
    outcome = release.outcome.value if release.outcome else "over"
    why = f": {release.why}" if release.why not in ("", outcome) else ""
    reason = f"  reason: {release.reason}" if release.reason else ""
    return f"{release.id}  {version}  {outcome}{why}{reason}"


def _truth(release: Release) -> list[str]:
    """How often its version and the one before were right, where that was told."""
    told, new, old = sides_of(release), release.version, release.old_version
    if told is None or new is None or old is None:
        return []
    return [f"  truth    {new.label} right in {told[0]}; {by_truth(*told, new.label, old.label)}"]


def _together(release: Release, snapshot: Snapshot, now: float) -> list[str]:
    """With whom a release goes on and back, and what it waits for because of that."""
    names = [name for name in release.together if name != release.endpoint]
    step, other = release.current, waiting(release, snapshot)
    since = f", {span(now - step.reached_at)} so far" if other and step is not None and step.reached_at else ""
    return [f"  together with {', '.join(names)}{f'; waits for {other}{since}' if other else ''}"] if names else []
