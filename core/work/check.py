"""The registered version, loaded back and tried: the same accuracy, the edges, the time that one row takes."""

import gc
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

import mlflow
import numpy as np
import pandas as pd

from core.domain.errors import Failed
from core.system.text import in_digits
from core.work import asked, evaluate
from core.work.asked import A_REQUEST
from core.work.content import records_of
from core.work.flavour import manifest
from core.work.job import Done, Job, Report, kept
from core.work.pace import paced
from core.work.registry import answering, connect
from core.work.rows import ROWS
from scoring import model as scoring

Record: TypeAlias = Mapping[str, Any]

TIMED = 300
"""Single rows whose answers are timed."""
REQUEST_VALUES = 400_000
"""In one request: of a table with many columns it has fewer rows, and nothing that JSON or a frame is made of in one go
keeps the child from saying that it goes on."""
MOST_FIELDS, FEWEST_FIELDS, TRIED_VALUES = 40, 3, 10_000
"""So many of the fields are tried one by one, spread over all of them, and fewer where each try has many values: more
would take longer than to train."""
SAME = 1e-9
"""Two accuracies over the same rows that differ by less are the same number."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried, and how it went."""

    name: str
    passed: bool
    why: str


@dataclass(frozen=True, slots=True)
class Subject:
    """The version in both forms: as MLflow loads it, and as an endpoint does. `pyfunc` is None where an endpoint does
    just that, in a process of its own."""

    pyfunc: Any | None
    served: scoring.Model

    def through_mlflow(self, records: Sequence[Record]) -> list[Any]:
        """The labels that MLflow's model gives. Ours is asked behind its signature: what MLflow casts or refuses of a
        row that no table holds is MLflow's."""
        if self.pyfunc is None:
            return []
        answers = (evaluate.folder_of(self.pyfunc) or self.pyfunc).predict(pd.DataFrame(list(records)))
        return [value.item() if isinstance(value, np.generic) else value for value in answers]

    def through_scoring(self, records: Sequence[Record]) -> list[Any]:
        """The labels that an endpoint gives. Raises what it would refuse the request with."""
        return asked.answers(self.served, records)


def run(job: Job, say: Report) -> Done:
    """Try everything; raises Failed with the first that went wrong once all is tried."""
    registered = kept(job.folder, "register") or kept(job.folder, "fetch")
    if registered is None:
        raise Failed(f"check: {job.folder} holds no version; run register or fetch first")
    uri = registered["version"]["uri"]
    say.progress(0.1, f"loading {uri}")
    folder = Path(registered["folder"])
    about = manifest(folder)
    with closing(scoring.load(folder)) as served:
        if about["task"] == "pyfunc":
            return _tried(job, say, uri, Subject(None, served), folder)
        registry = connect(job.settings)
        with answering(registry.shown):
            pyfunc = mlflow.pyfunc.load_model(uri)
        return _tried(job, say, uri, Subject(pyfunc, served), folder)


def _tried(job: Job, say: Report, uri: str, subject: Subject, folder: Path) -> Done:
    """Everything that can be tried of this version."""
    foreign = "flavour" in manifest(folder)
    if not (folder / ROWS).exists() and (job.folder / ROWS).exists():
        # A stranger's version brings no rows to send.
        shutil.copyfile(job.folder / ROWS, folder / ROWS)
    rows = evaluate.held_out(job.folder) if kept(job.folder, "data") else None
    # Records of all rows at once would take a hundred times the table's own memory.
    records = as_records(rows.raw.head(A_REQUEST), subject) if rows else [dict(subject.served.about.example)]
    tried = list(_edges(subject, records, foreign))
    if rows:
        say.progress(0.3, "the held-out rows")
        measured = (kept(job.folder, "evaluate") or {}).get("candidate")
        tried += _accuracy(subject, rows, measured["accuracy"] if measured else None, say)
    say.progress(0.8, "latency")
    limit_ms = job.settings.thresholds.max_latency_ms
    p95_ms = latency_ms(subject, records, limit_ms)
    words = f"p95 {p95_ms:.2f} ms a row, limit {in_digits(limit_ms, 6)} ms"
    tried.append(Check("latency", p95_ms <= limit_ms, words))
    for each in tried:
        say(f"{'ok' if each.passed else 'failed'}: {each.name}: {each.why}")
    failed = [each for each in tried if not each.passed]
    if failed:
        more = f"; failed too: {', '.join(one.name for one in failed[1:])}" if failed[1:] else ""
        raise Failed(f"check: {failed[0].name}: {failed[0].why}{more}")
    result = {"checks": [asdict(each) for each in tried], "p95_ms": p95_ms, "uri": uri}
    return Done(result, f"{len(tried)} of {len(tried)}")


def as_records(frame: pd.DataFrame, subject: Subject) -> list[Record]:
    """Raw rows as a client sends them."""
    names = [field.name for field in subject.served.about.fields if field.name in frame.columns]
    return list(records_of(frame[names]))


def _accuracy(subject: Subject, rows: evaluate.Rows, measured: float | None, say: Report) -> Iterator[Check]:
    """Both ways reach the accuracy that evaluate measured, to the last row."""
    ways: dict[str, list[Any]] = {"the endpoint's code": []}
    if subject.pyfunc is not None:
        ways = {"MLflow": [], **ways}
    step = max(1, min(A_REQUEST, REQUEST_VALUES // len(subject.served.about.fields)))
    for start in range(0, len(rows.raw), step):
        records = as_records(rows.raw.iloc[start : start + step], subject)
        if subject.pyfunc is not None:
            ways["MLflow"] += subject.through_mlflow(records)
        ways["the endpoint's code"] += subject.through_scoring(records)
        say.progress(0.3 + 0.5 * start / len(rows.raw), f"the held-out rows, {start + len(records):,}")
    for way, answers in ways.items():
        right = int((evaluate.places(answers, rows.labels) == rows.truth).sum())
        reached = right / len(rows.truth)
        words = f"{reached:.4f}, {right} of {len(rows.truth)} held-out rows right"
        if measured is not None and abs(reached - measured) > SAME:
            words += f", but evaluate measured {measured:.4f}"
        yield Check(f"accuracy through {way}", measured is None or abs(reached - measured) <= SAME, words)
    if subject.pyfunc is None:
        return
    one, two = ways.values()
    apart = sum(first != second for first, second in zip(one, two, strict=True))
    yield Check("both ways agree", apart == 0, f"on {len(one) - apart} of {len(one)} rows")


def _edges(subject: Subject, records: Sequence[Record], foreign: bool) -> Iterator[Check]:
    """Requests that a test set never holds. Each must be answered with the target's labels, or refused by name.

    What a `foreign` model's signature refuses is its own affair.
    """
    fields = subject.served.about.fields
    first = records[0]
    count = max(1, min(A_REQUEST, REQUEST_VALUES // len(fields)))
    many = [records[number % len(records)] for number in range(count)]
    yield _answered(subject, "one row", [first])
    yield _answered(subject, "a thousand rows" if count == A_REQUEST else f"{count} rows", many)
    if foreign:
        return
    yield _answered(subject, "all values missing", [{field.name: None for field in fields}] * 4)
    most = max(FEWEST_FIELDS, min(MOST_FIELDS, TRIED_VALUES // len(fields)))
    tried = some([field.name for field in fields], most)
    yield _answered(subject, "each value missing", [{**first, name: None} for name in tried])
    texts = [field.name for field in fields if field.type == "category"]
    if texts:
        strangers = [{**first, name: "never seen before"} for name in some(texts, most)]
        yield _answered(subject, "unknown categories", strangers)
    if len(texts) < len(fields):
        numbers = [field.name for field in fields if field.type != "category"]
        yield _refused(subject, "a text for a number", first, some(numbers, most))


def some(names: Sequence[str], most: int = MOST_FIELDS) -> list[str]:
    """At most so many of the names, the first and the last among them."""
    if len(names) <= most:
        return list(names)
    return [names[round(place * (len(names) - 1) / (most - 1))] for place in range(most)]


def _answered(subject: Subject, name: str, records: Sequence[Record]) -> Check:
    """A label of the target's for each row, the same through MLflow and the endpoint's code."""
    try:
        served = subject.through_scoring(records)
        logged = served if subject.pyfunc is None else subject.through_mlflow(records)
    except Exception as error:
        return Check(name, False, f"{type(error).__name__}: {str(error).splitlines()[0]}")
    if len(served) != len(records):
        return Check(name, False, f"{len(served)} answers to {len(records)} rows")
    labels = subject.served.labels
    strange = [label for label in served if label not in labels] if labels else []
    if strange:
        return Check(name, False, f"answered {strange[0]!r}, which is no label")
    if served != logged:
        return Check(name, False, "MLflow and the endpoint's code answer differently")
    return Check(name, True, f"{served[0]}" if len(served) == 1 else f"{len(served)} answers")


def _refused(subject: Subject, title: str, record: Record, names: Sequence[str]) -> Check:
    """A text in each of these fields is refused with the field's name, on both ways."""
    for name in names:
        for way in (subject.through_scoring, subject.through_mlflow):
            try:
                way([{**record, name: "a text"}])
            except Exception as error:
                if name not in str(error):
                    return Check(title, False, f"refused without naming {name}: {error}")
            else:
                return Check(title, False, f"{name}: answered, but should be refused")
    return Check(title, True, f"refused in each of {len(names)} fields, by name")


def latency_ms(subject: Subject, records: Sequence[Record], limit_ms: float) -> float:
    """The 95th percentile of the time that the endpoint's code takes for one row, body to label.

    Once so many rows took longer that it can't come under its limit any more, no others are asked.
    """
    subject.served.warm_up()
    # To write a wide row as JSON takes as long as to answer it, and is the caller's time.
    bodies = [asked.body_of([record]) for record in records[:TIMED]]
    # Nor does an endpoint hold the tables and libraries that are looked through here when memory is tidied.
    gc.collect()
    gc.freeze()
    try:
        times = paced(lambda number: asked.answer(subject.served, bodies[number % len(bodies)]), TIMED, limit_ms)
    finally:
        gc.unfreeze()
    return float(np.percentile(times, 95))
