"""A model that only its own packages can run: MLflow's pyfunc, in a process beside this one, behind the same HTTP.

The process is started by whoever serves, never by a parent that forks: libraries that were loaded do not survive it.
Nothing of our environment goes there but what an interpreter needs: no key, no address, no token.
"""

import os
import select
import struct
import subprocess
import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any

import orjson

from scoring.batch import Batch, nothing
from scoring.log import say
from scoring.manifest import Label, Manifest, ModelError
from scoring.payload import PROBABILITIES, PayloadError, Reader, Row
from scoring.side_thread import Work

START_S = 300.0
"""Whoever waits for a replica is less patient; this ends the wait of anybody else."""
ANSWER_S = 60.0
END_S = 5.0
SLICE_ROWS = 1000
KEPT = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "SSL_CERT_FILE")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_LENGTH = struct.Struct("<I")


def environment(home: str) -> dict[str, str]:
    """What the model's process sees of ours: nothing that could hold a secret."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "GIT_PYTHON_REFRESH": "quiet"}
    return {**kept, **dict.fromkeys(THREADS, "1"), **quiet, "HOME": home}


class Worker:
    """The process that holds the model. Raises ModelError where it can't be started, or says no more."""

    def __init__(self, python: str, folder: Path) -> None:
        if not Path(python).exists():
            raise ModelError(f"{folder}: its packages at {python} are gone; release the version again")
        # Its own things are no business of the model's.
        self._home = tempfile.TemporaryDirectory(prefix="quarterdeck-model-")
        self._process = subprocess.Popen(
            [python, "-I", str(Path(__file__).with_name("worker.py")), str(folder.resolve())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=self._home.name,
            env=environment(self._home.name),
        )
        self.about = self._read(START_S)
        if why := self.about.get("failed"):
            self.close()
            raise ModelError(f"{folder}: the model can't be loaded: {why}")

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def ask(self, rows: Sequence[Row]) -> Mapping[str, Any]:
        """What the model says of rows."""
        if self._process.returncode is not None:
            raise ModelError(self._ended())
        text = orjson.dumps(rows)
        writes = self._process.stdin
        assert writes is not None  # noqa: S101 - asked for above
        try:
            writes.write(_LENGTH.pack(len(text)) + text)
            writes.flush()
        except OSError:
            raise ModelError(self._ended()) from None
        return self._read(ANSWER_S)

    def _read(self, within_s: float) -> Mapping[str, Any]:
        """The next answer."""
        until_s = monotonic() + within_s
        size = _LENGTH.unpack(self._bytes(_LENGTH.size, until_s))[0]
        read: Mapping[str, Any] = orjson.loads(self._bytes(size, until_s))
        return read

    def _bytes(self, count: int, until_s: float) -> bytes:
        reads = self._process.stdout
        assert reads is not None  # noqa: S101 - asked for above
        found = bytearray()
        while len(found) < count:
            if not select.select([reads], [], [], max(0.0, until_s - monotonic()))[0]:
                self._process.kill()
                raise ModelError(f"the model's process gave no answer in time and was ended: {self._ended()}")
            part = os.read(reads.fileno(), count - len(found))
            if not part:
                raise ModelError(self._ended())
            found += part
        return bytes(found)

    def _ended(self) -> str:
        self.close()
        code = self._process.returncode
        return f"the model's process ended ({f'signal {-code}' if code < 0 else f'code {code}'}); its log says why"

    def close(self) -> None:
        """End it: it goes where nobody asks it any more, and is killed where it does not."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    continue
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._home.cleanup()


@dataclass(slots=True)
class Pyfunc:
    """Reads requests and has them answered. Where rows do not depend on each other, requests go together."""

    about: Manifest
    _reader: Reader
    waits: bool = True
    _worker: Worker | None = None
    _lost: Callable[[str], None] = nothing

    @classmethod
    def of(cls, about: Manifest) -> "Pyfunc":
        """Nothing is started yet."""
        optional = [field.name for field in about.fields if not field.required]
        return cls(about, Reader([field.name for field in about.fields], optional))

    @property
    def labels(self) -> Sequence[Label]:
        """None are known: answers are what the model says."""
        return ()

    @property
    def worker_pid(self) -> int | None:
        """The model's process: what it uses is this service's."""
        return None if self._worker is None else self._worker.pid

    def warm_up(self, lost: Callable[[str], None] = nothing) -> None:
        """Start the model's process, and have it answer the example."""
        self._lost = lost
        worker = self._started()
        if example := self.about.example:
            worker.ask([[example.get(name) for name in self._reader.names]])

    def predict(self, requests: Sequence[tuple[bytes, str]]) -> Batch:
        """Score requests together, each a body and a query string. One that is refused does not touch the others."""
        began_s = perf_counter()
        batch = Batch(0)
        read: list[tuple[int, list[Row]]] = []
        for place, request in enumerate(requests):
            batch.counts.append(0)
            try:
                rows = self._read(request)
            except PayloadError as refused:
                batch.refused[place] = refused
            else:
                read.append((place, rows))
        prepared_s = perf_counter()
        together = self._together(read)
        for place, rows in read:
            try:
                found = together[place] if together is not None else self._values(rows)
            except PayloadError as refused:
                batch.refused[place] = refused
            else:
                batch.counts[place] = len(rows)
                batch.values += found
        batch.preparation_ms = (prepared_s - began_s) * 1000
        batch.inference_ms = (perf_counter() - prepared_s) * 1000
        return batch

    def _together(self, read: Sequence[tuple[int, list[Row]]]) -> dict[int, list[Any]] | None:
        """The answers to several requests out of one call; None where each has to be asked alone."""
        if not self.about.batched or len(read) < 2:
            return None
        try:
            values = self._values([row for _, rows in read for row in rows])
        except PayloadError:
            return None
        found, at = {}, 0
        for place, rows in read:
            found[place] = values[at : at + len(rows)]
            at += len(rows)
        return found

    def in_slices(self, request: tuple[bytes, str]) -> Generator[Work | None, Any, Batch]:
        """Score one request as `predict` does, in steps; the batch holds it alone."""
        began_s = perf_counter()
        batch = Batch(0)
        try:
            rows = self._read(request)
            batch.preparation_ms = (perf_counter() - began_s) * 1000
            yield None
            step = SLICE_ROWS if self.about.batched else len(rows)
            for first in range(0, len(rows), step):
                asked_s = perf_counter()
                batch.values += yield partial(self._values, rows[first : first + step])
                batch.inference_ms += (perf_counter() - asked_s) * 1000
                yield None
        except PayloadError as refused:
            return Batch(0, counts=[0], refused={0: refused})
        batch.counts = [len(rows)]
        return batch

    def _read(self, request: tuple[bytes, str]) -> list[Row]:
        rows, wishes = self._reader.read(*request)
        if wishes & PROBABILITIES:
            raise PayloadError(422, "this model answers with predictions alone: leave probabilities out")
        return rows

    def _values(self, rows: Sequence[Row]) -> list[Any]:
        """An answer for each row; `PayloadError` where the model does not take them."""
        try:
            said = self._started().ask(rows)
        except ModelError as error:
            say(str(error))
            self._lost(str(error))
            raise
        if why := said.get("refused"):
            raise PayloadError(422, f"the model does not take this: {why}")
        if why := said.get("broken"):
            raise ModelError(why)
        values: list[Any] = said["values"]
        return values

    def _started(self) -> Worker:
        if self._worker is None:
            self._worker = Worker(self.about.python, self.about.folder / self.about.file)
        return self._worker

    def answer(self, batch: Batch, place: int) -> dict[str, Any]:
        """One request's predictions."""
        start = sum(batch.counts[:place])
        return {"predictions": batch.values[start : start + batch.counts[place]]}

    def close(self) -> None:
        """End the model's process."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None
