"""Who owns what the project keeps, and who else may read or write it."""

import os
import shlex
import stat
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from core.domain.diagnosis import Diagnoses, fail, ok, warn
from core.engine.shell_variables import FOLDER as VARIABLES

MOST = 20_000
"""So many files are looked at; a project of years may have more."""


def owners(config: Path, state: Path, me: int) -> Diagnoses:
    """Files of others: what was once called as root can't be written by its owner any more."""
    looked, others, open_to_all, secret = 0, [], [], []
    for path, seen in islice(_files(config, state), MOST):
        looked += 1
        if seen.st_uid != me:
            others.append((path, seen.st_uid))
        elif seen.st_mode & stat.S_IWOTH and not stat.S_ISSOCK(seen.st_mode) and not stat.S_ISLNK(seen.st_mode):
            open_to_all.append(path)
        if path.parent.name == VARIABLES and seen.st_mode & 0o077:
            secret.append(path)
    if others:
        path, owner = others[0]
        told = f"{len(others)} of {looked} files belong to another user, such as {path} (uid {owner})"
        folder = shlex.quote(str(config.parent))
        back = f"chown -R {config.parent.stat().st_uid if me == 0 else me} {folder}"
        # Root writes them all the same; whoever works here otherwise can't write what root has made.
        yield warn(told, f"don't work here as root, or: {back}") if me == 0 else fail(told, f"sudo {back}")
    if open_to_all:
        told = f"{len(open_to_all)} of {looked} files can be written by everybody, such as {open_to_all[0]}"
        yield warn(told, f"chmod -R o-w {shlex.quote(str(config.parent))}")
    if secret:
        told = f"others may read {secret[0]}, which holds what a release's shell knew"
        yield fail(told, f"chmod -R go= {shlex.quote(str(state / VARIABLES))}")
    if not others and not open_to_all and not secret:
        yield ok(f"{looked} looked at, all of this user's own")


def _files(config: Path, state: Path) -> Iterator[tuple[Path, os.stat_result]]:
    yield config, config.lstat()
    if not state.is_dir():
        return
    yield state, state.lstat()
    for folder, folders, names in os.walk(state):
        for name in (*folders, *names):
            path = Path(folder) / name
            try:
                yield path, path.lstat()
            except FileNotFoundError:
                continue  # Whoever runs here writes and removes meanwhile.
