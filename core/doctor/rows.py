"""Where rows to learn from are to come from: is it there, and can it be read. No row is read, and no database asked."""

import os
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from core.config.config import data_path, endpoint_name
from core.config.settings import SAMPLES, SQL, Settings
from core.domain.diagnosis import Diagnoses, Examination, fail, looking, ok
from core.system.suggest import did_you_mean
from core.system.text import counted, size


def examinations(several: Iterable[Settings]) -> list[Examination]:
    """One for each source that these settings name."""
    found = {(str(data_path(one)), one.data.source, one.data.sql): one for one in several}
    return [looking("data", partial(look, one), endpoint_name(one) if len(found) > 1 else "") for one in found.values()]


def look(settings: Settings) -> Diagnoses:
    """What `data.source` leads to."""
    path = data_path(settings)
    if settings.data.source == SQL:
        return _query(settings)
    if path is None:
        return [ok(f"the sample {settings.data.source}, which comes along")]
    return _file(settings, path)


def _query(settings: Settings) -> Diagnoses:
    sql = settings.data.sql
    if sql is None:
        return [fail("data.source is sql, and data.sql is not set", "write data.sql with a query and the url to ask")]
    if sql.url is None and sql.url_env is None:
        return [fail("data.sql names no database", "set data.sql.url, or data.sql.url_env to the variable with it")]
    if sql.url_env is not None and not os.environ.get(sql.url_env):
        return [fail(f"{sql.url_env}, which holds the database's address, is not set", f"export {sql.url_env}=…")]
    return [ok("a query; its database is asked by the release")]


def _file(settings: Settings, path: Path) -> Diagnoses:
    source = settings.data.source
    mend = f"put it there, or set data.source to a file, a folder or a sample{did_you_mean(source, SAMPLES)}"
    try:
        if path.is_dir():
            files = [one for one in path.iterdir() if one.is_file() and not one.name.startswith(".")]
            if not files:
                return [fail(f"data.source: there is no file in {path}", mend)]
            return [ok(f"{path}: {counted(len(files), 'file')}")]
        if not path.exists():
            return [fail(f"data.source: there is no {path}", mend)]
        with path.open("rb") as file:
            if not file.read(1):
                return [fail(f"data.source: {path} is empty", mend)]
    except OSError as error:
        return [fail(f"data.source: {path} can't be read ({error.strerror or error})", "let this user read it")]
    return [ok(f"{path}: {size(path.stat().st_size)}")]
