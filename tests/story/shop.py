"""A project as somebody uses it: the real command in other processes, its endpoint over HTTP, its journal on disk."""

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx
import numpy as np
import pandas as pd

from core.journal.journal import Journal
from core.state.fold import fold_all
from core.state.snapshot import Snapshot

HOME = Path(__file__).parents[2]
COMMAND = Path(sys.executable).with_name("quarterdeck")
"""As it is installed: `python -m` would look for modules in the project's folder first."""
DEADLINE_S = 120.0
KEY_VARIABLE = "STORY_KEY"
FORMS = ("data", "inputs", "dataframe_split", "dataframe_records")

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """All that was said, line by line."""
        return [*self.out.splitlines(), *self.err.splitlines()]

    @property
    def error(self) -> str:
        """The one line in which a command refuses."""
        (line,) = self.err.splitlines()
        return line


def quarterdeck(
    *arguments: str, cwd: Path, env: Mapping[str, str] | None = None, deadline_s: float = DEADLINE_S
) -> Told:
    """Run the command to its end."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "QUARTERDECK_"))}
    done = subprocess.run(
        [str(COMMAND), *arguments],
        check=False,
        cwd=cwd,
        env={**kept, "PYTHONPATH": str(HOME), "COLUMNS": "200", **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=deadline_s,
    )
    return Told(done.returncode, done.stdout, done.stderr)


@contextlib.contextmanager
def begun(*arguments: str, cwd: Path, env: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """The command while it goes on; what it says can be read. It is killed where it has not ended."""
    with subprocess.Popen(
        [str(COMMAND), *arguments],
        cwd=cwd,
        env={**env, "PYTHONPATH": str(HOME), "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def of_buyers(home: Path) -> Path:
    """A project with nothing in it but rows, in the folder `shop`."""
    draw = np.random.default_rng(6)
    rows = pd.DataFrame({"age": draw.integers(18, 80, 300), "city": draw.choice(["Rome", "Oslo"], 300)})
    rows["bought"] = np.where(rows["age"] + 20 * (rows["city"] == "Oslo") > 55, "yes", "no")
    rows.to_csv(home / "rows.csv", index=False)
    folder = home / "shop"
    told = quarterdeck("init", str(folder), "--data", str(home / "rows.csv"), "--target", "bought", cwd=home)
    assert told.code == 0, told.err
    return folder


@dataclass(slots=True)
class Shop:
    """A project in a folder; `name` is its endpoint in prod. With a `key` its users must send that."""

    folder: Path
    name: str
    target: str
    flags: tuple[str, ...] = ()
    key: str = ""

    def run(self, *arguments: str, env: Mapping[str, str] | None = None) -> Told:
        """A command in the project's folder."""
        keyed = {KEY_VARIABLE: self.key} if self.key else {}
        return quarterdeck(*arguments, cwd=self.folder, env=keyed if env is None else env)

    def release(self, *arguments: str, env: Mapping[str, str] | None = None) -> Told:
        """A release without the load test, quick by the project's own flags."""
        return self.run("release", "--skip", "load", *self.flags, *arguments, env=env)

    def down(self) -> None:
        """Stop what runs."""
        told = self.run("down")
        assert told.code == 0, told.err

    @property
    def registry(self) -> str:
        """The project's own MLflow."""
        return f"sqlite:///{self.folder / '.quarterdeck' / 'mlflow.db'}"

    def snapshot(self) -> Snapshot:
        """The journal, folded anew; fails where it is not whole."""
        path = self.folder / ".quarterdeck" / "journal.db"
        with contextlib.closing(sqlite3.connect(path, timeout=10)) as database:
            assert database.execute("pragma integrity_check").fetchone() == ("ok",)
        with contextlib.closing(Journal(path, read_only=True)) as journal:
            snapshot = Snapshot()
            while batch := journal.read(snapshot.seq):
                snapshot = fold_all(batch, snapshot)
            return snapshot

    def figures(self, env: str) -> dict[str, Any]:
        """What the newest release of an environment measured of its candidate and of what stands against it."""
        newest = self.snapshot().release_of(self.endpoint(env))
        assert newest is not None
        metrics = json.loads((self.folder / "runs" / newest.id / "metrics.json").read_text())
        return cast("dict[str, Any]", metrics["evaluate"])

    def endpoint(self, env: str) -> str:
        """What the endpoint of an environment is called."""
        return self.name if env == "prod" else f"{self.name}-{env}"

    def client(self, env: str = "prod") -> httpx.Client:
        """A client of the endpoint of an environment."""
        url = self.snapshot().endpoints[self.endpoint(env)].url
        assert url
        headers = {"authorization": f"Bearer {self.key}"} if self.key else {}
        return httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=10)


def in_form(form: str, rows: list[Row], names: list[str]) -> dict[str, Any]:
    """A request's body."""
    columns = {name: [row[name] for row in rows] for name in names}
    # Columns of a table may stand in any order, so they are sent in another one.
    other = names[::-1]
    bodies: dict[str, dict[str, Any]] = {
        "data": {"data": [[row[name] for name in names] for row in rows]},
        "inputs": {"inputs": columns},
        "dataframe_split": {"dataframe_split": {"columns": other, "data": [[row[n] for n in other] for row in rows]}},
        "dataframe_records": {"dataframe_records": rows},
    }
    return bodies[form]


def own_answers(shop: Shop, uri: str, table: Path, rows: int) -> dict[str, Any]:
    """Rows of a Parquet file, and what the model in the registry says of them: through MLflow and through XGBoost."""
    script = Path(__file__).with_name("own.py")
    done = subprocess.run(
        [sys.executable, str(script), shop.registry, uri, str(table), str(rows)],
        check=False,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"},
    )
    assert done.returncode == 0, done.stderr
    return cast("dict[str, Any]", json.loads(done.stdout.splitlines()[-1]))
