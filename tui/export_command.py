"""`quarterdeck export kubernetes`: what would be applied to a cluster, as files. Nothing is asked of any cluster."""

import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

from core.config.config import endpoint_name
from core.domain.errors import Refused
from core.domain.model import Slot, Version
from core.engine.project import Project
from core.rollout.promotion import known_anywhere
from core.state.fold import fold_all
from core.state.snapshot import Snapshot
from core.targets.kubernetes.export import files_of, write
from core.targets.kubernetes.labels import MANAGER, ClusterEndpoint, cluster_endpoint
from core.targets.kubernetes.manifests import all_of, image_of
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


def written_out(project: Project, snapshot: Snapshot, number: str) -> tuple[Version, dict[str, str]]:
    """A version of one endpoint, and the files of its objects; raises QuarterdeckError."""
    at, version = cluster_endpoint(project.settings), chosen_version(project, snapshot, number)
    return version, files_of(all_of(at, slot_of(project, snapshot, version), version, image_of(at, version)))


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
