"""`quarterdeck export kubernetes`: what would be applied to a cluster, as files; nothing is asked of any cluster.

With `--dry-run=server` it writes nothing, and the cluster says what of that would differ from what runs.
"""

import os
import shlex
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from core.config.config import endpoint_name
from core.domain.errors import Refused
from core.domain.model import Slot, Version
from core.engine.project import Project
from core.rollout.promotion import known_anywhere
from core.state.fold import fold_all
from core.state.snapshot import Snapshot
from core.system.aside import aside
from core.targets.kubernetes.api_errors import Json
from core.targets.kubernetes.calls import ApiCalls
from core.targets.kubernetes.dry_run import DryRun, compared
from core.targets.kubernetes.export import files_of, write
from core.targets.kubernetes.labels import MANAGER, ClusterEndpoint, cluster_endpoint
from core.targets.kubernetes.manifests import all_of, image_of, key_secret
from core.targets.kubernetes.manifests_pod import KEY
from core.targets.kubernetes.names import key_name
from tui.audit_command import past

Write = Callable[[str], None]


def kubernetes(project: Project, number: str, folder: Path | None, say: Write) -> int:
    """The objects of each endpoint that is meant, with a version of it, into a folder; raises QuarterdeckError."""
    with past(project) as journal:
        snapshot = fold_all(journal.recent(journal.clock.now()))
    members = project.together
    # All of them before the first is written.
    made = [(cluster_endpoint(one.settings), *written_out(one, snapshot, number)) for one in members]
    for at, version, files in made:
        above = folder or project.settings.folder / "kubernetes"
        into = folder if folder and len(members) == 1 else above / at.name
        gone = write(into, files)
        say(f"wrote {into}: {at.called} {version.label} for {at.place.where}, {len(files)} files")
        for name in gone:
            say(f"removed {into / name}, which is no part of it any longer")
        for line in next_lines(at, into):
            say(line)
    return 0


async def against_cluster(project: Project, number: str, say: Write) -> int:
    """What an apply would change in the cluster of each endpoint that is meant; 1 where anything differs."""
    with past(project) as journal:
        snapshot = fold_all(journal.recent(journal.clock.now()))
    differs = False
    for one in project.together:
        at, version = cluster_endpoint(one.settings), chosen_version(one, snapshot, number)
        objects = objects_of(one, snapshot, version)
        name = at.endpoint.key_env
        key = os.environ.get(name, "").strip() if name is not None else ""
        objects += [key_secret(at, key)] if key else []
        calls = ApiCalls(at.place.context, os.environ.get("KUBECONFIG", ""))
        found = await aside(partial(compared, at, calls, objects), "kubernetes dry run")
        say(f"{at.called} {version.label} beside what runs in {at.place.where}")
        for tried in found:
            for line in compared_lines(tried):
                say(line)
        if name is not None and not key:
            say(f"  secrets/{key_name(at.name)}: not compared, for {name} is not set here")
        differs |= not all(tried.same for tried in found)
    return int(differs)


def compared_lines(tried: DryRun) -> Iterator[str]:
    """One object, in so many lines as it has differences."""
    if tried.error:
        yield f"! {tried.what}: {tried.error}"
        return
    said = "is new" if tried.new else "differs" if tried.changes or tried.conflict else "same"
    yield f"{' ' if tried.same else '+' if tried.new else '~'} {tried.what}: {said}"
    yield from (f"    {line}" for line in tried.changes)
    if tried.conflict:
        yield f"    ! {tried.conflict}: an apply stops at that, and changes nothing of this object"


def written_out(project: Project, snapshot: Snapshot, number: str) -> tuple[Version, dict[str, str]]:
    """A version of one endpoint, and the files of its objects; raises QuarterdeckError."""
    version = chosen_version(project, snapshot, number)
    return version, files_of(objects_of(project, snapshot, version))


def objects_of(project: Project, snapshot: Snapshot, version: Version) -> list[Json]:
    """The objects of an endpoint with a version of it, in the order of applying; raises QuarterdeckError."""
    at = cluster_endpoint(project.settings)
    return all_of(at, slot_of(project, snapshot, version), version, image_of(at, version))


def chosen_version(project: Project, snapshot: Snapshot, number: str) -> Version:
    """The version of a number that a release here was of, else the one that serves; raises Refused."""
    settings = project.settings
    name = endpoint_name(settings)
    if not number:
        served = snapshot.endpoint(name).served
        if served is None:
            raise Refused(f"{name} serves nothing yet; name a version: quarterdeck export kubernetes VERSION")
        return served
    mine = [called for called, own in project.by_endpoint().items() if own.endpoint.name == settings.endpoint.name]
    version = known_anywhere(snapshot, mine, number)
    if version is None:
        label = f"v{number.removeprefix('v')}"
        raise Refused(f"no release here was of {label}; 'quarterdeck releases' lists those there were")
    return version


def slot_of(project: Project, snapshot: Snapshot, version: Version) -> Slot:
    """The slot that holds a version in the cluster as far as is known, else the first."""
    settings = project.settings
    place, slots = settings.place, snapshot.endpoint(endpoint_name(settings)).slots
    holding = [slot for slot in place.slots if slot in slots and slots[slot].version == version]
    return next(iter(holding if settings.target == "kubernetes" else ()), place.slots[0])


def next_lines(at: ClusterEndpoint, folder: Path) -> Iterator[str]:
    """What to type next: for the files, and for the key, which none of them holds."""
    there = f"kubectl --context {shlex.quote(at.place.context)}"
    # As the one who will release there: fields of another manager would be refused.
    yield f"next: {there} apply --server-side --field-manager={MANAGER} -k {shlex.quote(str(folder))}"
    if at.endpoint.key_env is not None:
        name = key_name(at.name)
        made = f"create secret generic {name} --from-file={KEY}=/dev/stdin"
        yield f"the key of its callers is in no file; its pods wait for the Secret {name}, made once by:"
        yield f'  printf %s "${at.endpoint.key_env}" | {there} -n {at.place.namespace} {made}'
