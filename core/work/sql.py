"""The rows of a query: of DuckDB by its own library (the extra `duckdb`), of any other database by SQLAlchemy."""

import os
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import sqlalchemy
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from core.config.settings import SqlSettings
from core.domain.errors import BadData
from core.system.text import clean_line

DUCKDB, SQLITE = "duckdb:///", "sqlite:///"


def read_query(sql: SqlSettings, folder: Path) -> pd.DataFrame:
    """All rows that a query gives; paths in the address are taken from the project's folder. Raises BadData."""
    url = sql.url if sql.url_env is None else os.environ.get(sql.url_env)
    if not url:
        raise BadData(
            f"data.sql: set url, or put the address into {sql.url_env or 'a variable and name it in url_env'}"
        )
    table = _duckdb(folder / url.removeprefix(DUCKDB), sql.query) if url.startswith(DUCKDB) else _any(url, sql, folder)
    table.columns = pd.Index([str(name).strip() for name in table.columns], dtype=object)
    return table


def _duckdb(path: Path, query: str) -> pd.DataFrame:
    if find_spec("duckdb") is None:
        raise BadData("data.sql: DuckDB needs one more package: uv pip install 'quarterdeck[duckdb]'")
    import duckdb  # noqa: PLC0415 - an extra

    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            found: pd.DataFrame = connection.execute(query).df()
    except duckdb.Error as error:
        raise BadData(f"data.sql: {path.name}: {clean_line(str(error).splitlines()[0])}") from None
    return found


def _any(url: str, sql: SqlSettings, folder: Path) -> pd.DataFrame:
    if url.startswith(SQLITE) and (name := url.removeprefix(SQLITE)):
        if not (folder / name).is_file():
            # SQLite would make an empty one.
            raise BadData(f"data.sql: {folder / name}: no such file")
        url = f"{SQLITE}{folder / name}"
    try:
        engine = sqlalchemy.create_engine(url)
        shown = engine.url.render_as_string(hide_password=True)
    except (ArgumentError, NoSuchModuleError, ImportError, ValueError) as error:
        # What it says of an address may hold the password.
        why = f": {error}" if isinstance(error, NoSuchModuleError | ImportError) else ""
        raise BadData(f"data.sql: not an address that SQLAlchemy knows, such as sqlite:///rows.db{why}") from None
    try:
        with engine.connect() as connection:
            found = connection.execute(sqlalchemy.text(sql.query))
            return pd.DataFrame(found.all(), columns=pd.Index(found.keys()))
    except SQLAlchemyError as error:
        why = clean_line(str(getattr(error, "orig", None) or error).splitlines()[0])
        raise BadData(f"data.sql: {shown}: {why}") from None
    finally:
        engine.dispose()
