"""The registry of models: is its file whole, how large is it, and does MLflow open it. Nothing is made or changed."""

import contextlib
import json
import sqlite3
import time
from collections.abc import Iterable, Mapping
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from core.config.config import mlflow_ui_line, tracking_uri
from core.config.settings import Settings
from core.domain.diagnosis import Condition, Diagnoses, Examination, fail, looking, ok, warn
from core.system.processes import child_environment, python
from core.system.short_calls import called
from core.system.text import clean_line, size
from core.work.child import QUIET

SQLITE = "sqlite:///"
OPENS_S = 40.0
"""MLflow alone takes three seconds to load, on a busy machine several times that."""
CHECK_S = 20.0
LARGE = 1 << 30
SKEW_S = 30.0
DATE_S = 4.0


def examinations(several: Iterable[Settings], served: bool) -> list[Examination]:
    """One for each registry that these settings name. `served`: something is, so there must be one."""
    by_uri = {tracking_uri(settings): settings for settings in several}
    made: list[Examination] = []
    for uri, settings in by_uri.items():
        file = Path(uri.removeprefix(SQLITE)) if uri.startswith(SQLITE) else None
        if file is not None:
            made.append(looking("registry", partial(whole, file, served), within_s=CHECK_S))
        made.append(looking("mlflow", partial(opens, settings, file), within_s=OPENS_S))
        if urlsplit(uri).scheme in {"http", "https"}:
            made.append(Examination("clock", partial(clock_of, uri, mlflow_ui_line(settings))))
    return made


def whole(file: Path, served: bool) -> Diagnoses:
    """Whether SQLite finds the file whole."""
    if not file.is_file():
        if served:
            return [fail(f"{file} is gone, and versions of it are served", "restore it: 'quarterdeck restore BACKUP'")]
        return [ok("none yet; the first release makes it")]
    large = file.stat().st_size
    try:
        uri = f"{file.absolute().as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=CHECK_S)) as database:
            # A look that nobody waits for any more must end too.
            until = time.monotonic() + CHECK_S
            database.set_progress_handler(lambda: time.monotonic() > until, 10_000)
            (said,) = database.execute("pragma quick_check(1)").fetchone()
            known = database.execute("select 1 from sqlite_master where name = 'alembic_version'").fetchone()
    except sqlite3.DatabaseError as error:
        return [fail(f"{file}: {error}", "move it away and restore a backup: 'quarterdeck restore BACKUP'")]
    if said != "ok":
        told = f"{file} is damaged: {clean_line(str(said), 200)}"
        return [fail(told, "move it away and restore a backup: 'quarterdeck restore BACKUP'")]
    if known is None:
        return [fail(f"{file} is no registry of MLflow's", "move it away: the next release makes one")]
    if large > LARGE:
        return [warn(f"{file} is whole, and {size(large)} large", "'mlflow gc' removes runs that were deleted")]
    return [ok(f"{file} is whole, {size(large)}")]


def opens(settings: Settings, file: Path | None) -> Diagnoses:
    """Whether MLflow opens it, asked in a child: the SDK is loaded there alone. Of a file only where it is whole: in
    any other MLflow would make its tables."""
    if file is not None and not _whole(file):
        return []
    env = {**QUIET, **child_environment()}
    code, out = called(python("core.work.opens"), OPENS_S - 1, settings.dump(), env)
    lines = [line for line in out.splitlines() if line.startswith("{")]
    try:
        said: Mapping[str, object] = json.loads(lines[-1])
    except (ValueError, IndexError):
        last = clean_line(out.splitlines()[-1], 160) if out.strip() else "it said nothing"
        return [fail(f"MLflow does not start here (exit code {code}): {last}", "see 'packages' above")]
    if "error" in said:
        return [fail(str(said["error"]))]
    return [ok(f"opens {said['shown']}, versions of {settings.model}: {said['versions']}")]


def _whole(file: Path) -> bool:
    return file.is_file() and all(line.condition is not Condition.FAIL for line in whole(file, served=False))


async def clock_of(uri: str, shown: str) -> Diagnoses:
    """How far the clock of a registry's server is from this machine's, by the date of its answer."""
    import httpx  # noqa: PLC0415 - where the registry is a file it is not needed

    parts = urlsplit(uri)
    login = (parts.username or "", parts.password or "") if parts.username else None
    try:
        async with httpx.AsyncClient(timeout=DATE_S, auth=login) as client:
            answer = await client.get(f"{shown.rstrip('/')}/health")
    except httpx.HTTPError:
        return []  # Whether it can be had says the line of `opens`.
    try:
        apart = parsedate_to_datetime(answer.headers["date"]).timestamp() - time.time()
    except (KeyError, ValueError):
        return [ok(f"{shown} does not say what time it is there")]
    if abs(apart) > SKEW_S:
        way = "ahead of" if apart > 0 else "behind"
        return [warn(f"{shown} is {abs(apart):.0f} s {way} this machine", "set both clocks by NTP")]
    return [ok(f"{shown} has the same time")]
