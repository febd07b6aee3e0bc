"""The data step: rows read, judged and split, and left on disk for the steps after it."""

from dataclasses import asdict
from typing import Any

from core.work import data
from core.work.job import Done, Job, Report

ROWS = "rows.jsonl"
SENT = 500
"""As many held-out rows go into it, for a load generator to send."""
COLUMNS = 25
"""After so many columns it is said how far the reading is."""


def run(job: Job, say: Report) -> Done:
    """Leave `train.parquet`, `test.parquet` and `rows.jsonl`."""
    say.progress(None, f"reading {job.settings.data.source}")
    # Held nowhere but where it is read further: a long table is in memory once as texts and once as numbers.
    frames = [data.read(job.settings, say)]
    say.progress(0.3, "looking at the columns")
    columns = len(frames[0].columns)

    def read(done: int) -> None:
        if done % COLUMNS == COLUMNS - 1:
            say.progress(0.3 + 0.5 * done / columns, f"looking at the columns, {done + 1:,} of {columns:,}")

    dataset = data.prepare(frames.pop(), job.settings, say, read)
    say.progress(0.8, "writing the rows")
    dataset.train.to_parquet(job.folder / "train.parquet")
    dataset.test.to_parquet(job.folder / "test.parquet")
    data.write_rows(dataset.held_out, job.folder / ROWS, SENT)
    result: dict[str, Any] = {
        "target": dataset.target,
        "labels": list(dataset.labels),
        "digest": dataset.digest,
        "rows": len(dataset.train) + len(dataset.test),
        "columns": len(dataset.fields),
    }
    left = {"fields": [asdict(field) for field in dataset.fields], "report": dataset.report}
    return Done(result, count(result["rows"]), left)


def count(rows: int) -> str:
    """As people say it: `20k rows`; a million and more in full, as a short form would round them by thousands."""
    if rows >= 999_500:
        return f"{rows:,} rows"
    return f"{rows / 1000:.3g}k rows" if rows >= 10_000 else f"{rows:,} rows"
