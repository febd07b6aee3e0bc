"""`quarterdeck releases`: a list of all, and how releasing goes, against what the team wants."""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

from core.config.settings import ObjectivesSettings
from core.engine.project import Project
from core.state.delivery import DeliveryFigures, ReleaseRow, figures, releases
from tui.audit_command import events_of, past
from tui.format import about, percent, proved, span
from tui.moments import iso, passed
from tui.output import json_line

Write = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure in words, beside its objective. `met` None: there is no objective, or nothing to tell by."""

    name: str
    said: str
    wanted: str
    met: bool | None


def listed(project: Project, write: Write, since: str = "", as_json: bool = False) -> int:
    """The releases since a moment, of the environment that was named or of all, and the figures of them."""
    with past(project) as journal:
        now = journal.clock.now()
        start = passed("--since", since, now) if since else 0.0
        known = releases(events_of(journal.written()))
    meant = project.meant
    rows = [row for row in known if not meant or row.endpoint in meant]
    mine = [row for row in rows if row.began_at >= start]
    begin = start or (mine[0].began_at if mine else now)
    told = figures(rows, begin, now)
    if as_json:
        made = {"releases": [_plain(row) for row in mine], "figures": asdict(told)}
        write(json_line({**made, "objectives": project.settings.objectives.model_dump()}))
        return 0
    if not mine:
        write("no release yet; begin one with 'quarterdeck release'" if not since else f"no release since {since}")
        return 0
    for row in mine:
        write(_line(row))
    write("")
    for figure in against(told, project.settings.objectives):
        mark = {True: "✔", False: "✖", None: " "}[figure.met]
        wanted = f"  wanted {figure.wanted}" if figure.wanted else ""
        write(f"{mark} {figure.name:<34}{figure.said:>10}{wanted}".rstrip())
    return 0


def _plain(row: ReleaseRow) -> dict[str, object]:
    moments = {key: iso(getattr(row, key)) for key in ("began_at", "version_at", "served_at", "full_at", "ended_at")}
    return {**asdict(row), **moments, "took_s": row.took_s}


def _line(row: ReleaseRow) -> str:
    at = time.strftime("%Y-%m-%d %H:%M", time.localtime(row.began_at))
    took = span(row.took_s) if row.took_s is not None else "-"
    said = f"  {row.reason or row.why}" if (row.reason or row.why) not in ("", row.outcome) else ""
    head = f"{at}  {row.id}  {row.version or 'no version yet':<14}  {row.outcome or 'under way':<11}  {took:>8}"
    return f"{head}  {row.by}{said}"


def against(told: DeliveryFigures, wanted: ObjectivesSettings) -> Iterator[Figure]:
    """Each figure beside what the team wants."""
    few = "–" if told.a_week is None else f"{told.a_week:.1f}"
    met = None if None in (told.a_week, wanted.releases_a_week) else (told.a_week or 0) >= (wanted.releases_a_week or 0)
    at_least = f"at least {wanted.releases_a_week:g}" if wanted.releases_a_week is not None else ""
    yield Figure("releases at full traffic, a week", few, at_least, met)
    rows = (
        ("from begin of version to all traffic", told.lead_s, wanted.lead_s, about),
        ("releases with traffic that failed", told.failed_percent, wanted.failed_percent, percent),
        (
            "from first sign to restored",
            told.restore_s,
            wanted.restore_s,
            lambda s: f"{s:.1f} s" if s < 60 else about(s),
        ),
        ("rollbacks, key to verified", told.rollback_ms, wanted.rollback_ms, proved),
    )
    for name, value, limit, words in rows:
        met = None if value is None or limit is None else value <= limit
        yield Figure(
            name, "–" if value is None else words(value), "" if limit is None else f"at most {words(limit)}", met
        )
