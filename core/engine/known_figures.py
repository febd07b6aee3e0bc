"""A version that was measured here on the same rows, beside the version that serves: released by those figures."""

import re
from dataclasses import replace
from math import inf
from pathlib import Path

from core.config.config import endpoint_name, state_folder
from core.config.planner import Wishes
from core.config.settings import SAMPLES
from core.domain.plan import Work
from core.engine.project import Project
from core.rollout.promotion import known_anywhere, measured, measured_apart
from core.state.release import Release, Status
from core.state.snapshot import Snapshot

CHECK = Work("check")
_NUMBERED = re.compile(r"models:/([^/@]+)/(\d+)")


def by_known_figures(project: Project, snapshot: Snapshot, wishes: Wishes) -> Wishes:
    """These wishes; by what is known of their version, where nothing that it was measured by has changed since."""
    settings, named = project.settings, _NUMBERED.fullmatch(wishes.model_uri)
    if named is None or named[1] != settings.model:
        return wishes
    names = [name for name, own in project.by_endpoint().items() if own.model == settings.model]
    version = known_anywhere(snapshot, names, named[2])
    live = snapshot.endpoint(endpoint_name(settings)).served
    if version is None or live in (None, version):
        return wishes
    known = measured(snapshot, version, live) or measured_apart(snapshot, version, live)
    if known is None:
        return wishes
    folder = state_folder(settings) / "models" / f"{version.model}-{version.number}"
    release = snapshot.releases[str(known["from"])]
    checked = any(s.step == CHECK and s.status is Status.DONE for s in release.steps) or "check" in wishes.skip
    others = [snapshot.releases[str(known["beside"])]] if "beside" in known else []
    same = all(_same_rows(project, one) for one in (release, *others))
    if not checked or not (folder / "model.json").is_file() or not same:
        return wishes
    return replace(wishes, model_uri="", version=version, measured=known)


def _same_rows(project: Project, release: Release) -> bool:
    """Whether the rows are surely those of that release: by the same settings, out of what has not changed since."""
    began, now = project.began(release.options), project.settings
    if began is None or began.data != now.data or began.train.primary_metric != now.train.primary_metric:
        return False
    if now.data.source in SAMPLES:
        return True
    source = now.folder / now.data.source
    return source.exists() and _changed_at(source) < release.began_at


def _changed_at(source: Path) -> float:
    """When the newest of its files was written; of what can't be looked at nobody knows."""
    try:
        files = [source, *source.rglob("*")] if source.is_dir() else [source]
        return max(one.stat().st_mtime for one in files)
    except OSError:
        return inf
