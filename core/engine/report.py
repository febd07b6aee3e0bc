"""The run folder of a release: what happened, as a page, as JSON and as figures, with the model and the logs."""

import json
import re
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.domain.errors import Failed
from core.domain.gates import Verdict
from core.domain.plan import Load, title
from core.engine.smoke import RESULTS
from core.state.codec import plain
from core.state.events import Outcome
from core.state.release import Release, StepState
from core.state.snapshot import Snapshot
from core.state.verdict_words import why_of
from core.system.text import clean, escaped, in_digits

REPORT, PAGE, METRICS = "report.json", "report.md", "metrics.json"
LOGS = ("work.log",)
MOST_KINDS = 5
FIGURES = ("train", "evaluate", "check")
_TAG = re.compile(r"<(?=[A-Za-z/!?])")


def write(snapshot: Snapshot, release: Release, folder: Path, model: Path | None, work: Path) -> Path:
    """Write it, over what an earlier try left; raises Failed when it can't be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / REPORT, _json(report_of(snapshot, release)))
        _write(folder / METRICS, _json(metrics_of(release)))
        _write(folder / PAGE, page_of(snapshot, release))
        _logs(snapshot, release, folder / "logs", work)
        if (work / RESULTS).is_file():
            shutil.copy2(work / RESULTS, folder / RESULTS)
        _load(release, folder / "load")
        if model is not None and model.is_dir():
            shutil.copytree(model, folder / "model", dirs_exist_ok=True)
    except OSError as error:
        raise Failed(f"{error.filename or folder}: the report can't be written: {error.strerror}") from error
    return folder


def report_of(snapshot: Snapshot, release: Release) -> Mapping[str, Any]:
    """Everything that is known of a release, as JSON. Times are ISO 8601, spans in seconds."""
    endpoint = snapshot.endpoints.get(release.endpoint)
    verified = endpoint.verified if endpoint else None
    return {
        "release": release.id,
        "endpoint": release.endpoint,
        "environment": release.environment,
        "target": release.target,
        "url": endpoint.url if endpoint else "",
        "strategy": release.plan.strategy,
        "by": release.by,
        "outcome": (release.outcome or Outcome.STUCK).value if release.ended_at else "under way",
        "why": release.why,
        "reason": release.reason,
        "version": plain(release.version),
        "previous_version": plain(release.old_version),
        "slot": release.slot,
        "began_at": _iso(release.began_at),
        "ended_at": _iso(release.ended_at),
        "took_s": _span(release.began_at, release.ended_at),
        "last_traffic": plain(verified),
        "steps": [_step(state) for state in release.steps],
        "options": {k: v for k, v in release.options.items() if k != "settings"},
        "settings": _settings(release),
    }


def _settings(release: Release) -> Any:
    text = release.options.get("settings")
    return json.loads(text) if isinstance(text, str) else None


def _step(state: StepState) -> Mapping[str, Any]:
    return {
        "step": title(state.step),
        "plan": plain(state.step),
        "status": state.status.value,
        "figure": state.figure,
        "why": state.why,
        "began_at": _iso(state.started_at),
        "took_s": _span(state.started_at, state.ended_at),
        "verdicts": [_verdict(verdict) for verdict in state.verdicts],
        "result": plain(state.result),
    }


def _verdict(verdict: Verdict) -> Mapping[str, Any]:
    gate = verdict.gate
    return {
        "gate": gate.name,
        **({"source": gate.source} if gate.source else {}),
        "limit": f"{gate.op} {in_digits(gate.limit, 6)}{' %' if gate.against else ''}",
        "value": verdict.value,
        "outcome": verdict.outcome.value,
        "dry_run": gate.dry_run,
        "why": why_of(verdict),
    }


def metrics_of(release: Release) -> Mapping[str, Any]:
    """The figures alone: of the model, of the load test, and how long each step took in seconds."""
    figures: dict[str, Any] = {"took_s": {}}
    for at, state in enumerate(release.steps):
        if state.started_at is None:
            continue
        name = title(state.step)
        figures["took_s"][f"{at + 1} {name}"] = _span(state.started_at, state.ended_at)
        if name in FIGURES or isinstance(state.step, Load):
            figures[name] = plain(state.result)
    return figures


def page_of(snapshot: Snapshot, release: Release) -> str:
    """The same for a reader, in Markdown."""
    version = f"{release.version.model} {release.version.label}" if release.version else "no version"
    outcome = release.outcome.value if release.outcome else "under way"
    endpoint = snapshot.endpoints.get(release.endpoint)
    before = release.old_version.label if release.old_version else "nothing"
    about = (
        f"{release.plan.strategy} in {release.environment}, by {release.by}, began {_iso(release.began_at)}, "
        f"took {_span(release.began_at, release.ended_at)} s. Before it served {before}."
    )
    lines = [
        f"# {version} to {release.endpoint}: {outcome}",
        "",
        about,
        "",
    ]
    if release.why:
        lines += [f"Why: {_cell(release.why)}", ""]
    if release.reason:
        lines += [f"Reason: {_cell(release.reason)}", ""]
    if endpoint is not None and endpoint.url:
        lines += [f"Endpoint: {endpoint.url}", ""]
    lines += ["| stage | status | figure | seconds |", "| --- | --- | --- | ---: |"]
    lines += [
        f"| {title(s.step)} | {s.status.value} | {_cell(s.figure or s.why)} | {_span(s.started_at, s.ended_at) or ''} |"
        for s in release.steps
    ]
    for state in release.steps:
        if state.verdicts:
            lines += [
                "",
                f"## Gates of {title(state.step)}",
                "",
                "| gate | limit | outcome | why |",
                "| --- | --- | --- | --- |",
            ]
            for row in map(_verdict, state.verdicts):
                lines.append(f"| {row['gate']} | {row['limit']} | {row['outcome']} | {_cell(row['why'])} |")
    lines += _load_page(release)
    return "\n".join(lines) + "\n"


def _load_page(release: Release) -> list[str]:
    lines: list[str] = []
    for state in release.steps:
        if isinstance(state.step, Load) and state.result:
            lines += ["", "## Load test", "", "| figure | value |", "| --- | ---: |"]
            lines += [f"| {k} | {_figure(v)} |" for k, v in state.result.items() if isinstance(v, int | float)]
            lines += _kinds(state.result.get("kinds"))
    return lines


def _kinds(found: object) -> list[str]:
    """What failed and what the locustfile's own code raised, the most frequent kinds first."""
    rows = [
        (what, str(kind), int(count))
        for what, counts in (found.items() if isinstance(found, Mapping) else ())
        for kind, count in sorted(counts.items(), key=lambda one: -one[1])[:MOST_KINDS]
    ]
    table = [f"| {what} | {_cell(kind)} | {count:,} |" for what, kind, count in rows]
    return ["", "| what | kind | count |", "| --- | --- | ---: |", *table] if rows else []


def _figure(value: float) -> str:
    return f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"


def _logs(snapshot: Snapshot, release: Release, folder: Path, work: Path) -> None:
    folder.mkdir(exist_ok=True)
    lines = [
        f"{_iso(line.at)} {line.source:<12} {line.text}"
        for line in snapshot.log
        if line.endpoint == release.endpoint and line.at >= release.began_at
    ]
    _write(folder / "release.log", "\n".join(lines) + "\n")
    for name in LOGS:
        if (work / name).exists():
            shutil.copyfile(work / name, folder / name)


def _load(release: Release, folder: Path) -> None:
    for state in release.steps:
        artifacts = state.result.get("artifacts") if isinstance(state.step, Load) else None
        for path in map(Path, artifacts if isinstance(artifacts, list | tuple) else ()):
            if path.exists():
                folder.mkdir(exist_ok=True)
                shutil.copyfile(path, folder / path.name)


def _write(path: Path, text: str) -> None:
    """A file as the report has it: names of columns and labels stand in it, which may hold anything."""
    path.write_text(clean(text, most=len(text) + 1), encoding="utf-8")


def _cell(text: str) -> str:
    """Text that stays in its cell of a table, and opens no tag."""
    return _TAG.sub("&lt;", " ".join(text.split()).replace("|", "\\|"))


def _json(value: object) -> str:
    return escaped(json.dumps(value, indent=2, ensure_ascii=False)) + "\n"


def _iso(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).astimezone().isoformat(timespec="milliseconds")


def _span(began: float | None, ended: float | None) -> float | None:
    return None if began is None or ended is None else round(ended - began, 3)
