"""A release in one file: gzipped lines of JSON, the first says what it is, the last how many events there are.

What it holds is a release's facts and the telemetry around them. Options, what steps left behind and how other sources
are asked stay at home: settings with their paths are in them. Values of the variables that were kept are masked.
"""

import contextlib
import gzip
import json
import re
import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.domain.errors import BadInput, JournalError
from core.journal.journal import Journal
from core.state import events as ev
from core.state.codec import dumps, loads

KIND, VERSION = "quarterdeck recording", 1
GZIP = b"\x1f\x8b"
BEFORE_S, AFTER_S = 180.0, 60.0
"""So much of what was measured before and after each of its facts goes along: the deck's charts reach back so far."""
LEAD_S = 5.0
SECRET_LENGTH = 6
"""A shorter value, such as `1` or `true`, is no secret, and masking it would mask everything."""
_LOGIN = re.compile(r"(\w+://)[^/\s:@\"\\]+:[^/\s@\"\\]+@")


@dataclass(frozen=True, slots=True)
class Recorded:
    """One release's events in order."""

    release: str
    endpoint: str
    events: tuple[ev.Event, ...]

    @property
    def begin(self) -> float:
        """A moment before the release began, from where it is worth looking at."""
        began = (e.at for e in self.events if isinstance(e.body, ev.Began) and e.body.release == self.release)
        return next(began, self.events[0].at if self.events else 0.0) - LEAD_S


def taken(journal: Journal, release: str) -> Recorded:
    """A release out of a journal, with the telemetry around it as it still is there; raises BadInput."""
    decisions = [ev.Event(one.seq, one.at, one.who, loads(one.body)) for one in journal.written()]
    began = next((e for e in decisions if isinstance(e.body, ev.Began) and e.body.release == release), None)
    if began is None or not isinstance(began.body, ev.Began):
        raise BadInput(f"{release}: no such release here; 'quarterdeck releases' lists them")
    endpoint = began.body.endpoint
    own = [e for e in decisions if e.seq >= began.seq and getattr(e.body, "release", None) == release]
    spans = _spans(own)
    known = _known_before(decisions, endpoint, began)
    between = [e for e in decisions if e.seq > began.seq and _of(e.body, endpoint, spans, e.at)]
    telemetry = _telemetry(journal, spans, endpoint, release, began)
    found = {e.seq: e for e in (*known, *own, *between, *telemetry)}
    return Recorded(release, endpoint, tuple(found[seq] for seq in sorted(found)))


def _spans(own: Sequence[ev.Event]) -> list[tuple[float, float]]:
    """The stretches of time that belong to a release: a rollback a day after its end brings its own minutes, no day."""
    spans: list[tuple[float, float]] = []
    live_since: float | None = None
    for event in own:
        begin = event.at - BEFORE_S if live_since is None else live_since
        end = event.at + AFTER_S
        live_since = None if isinstance(event.body, ev.Ended) else event.at
        if spans and begin <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((begin, end))
    return spans


def _of(body: ev.Body, endpoint: str, spans: Sequence[tuple[float, float]], at: float) -> bool:
    """Whether a fact of no release is about the endpoint, in that time."""
    mine = getattr(body, "endpoint", None) == endpoint and getattr(body, "release", None) is None
    return mine and any(begin <= at <= end for begin, end in spans)


def _known_before(decisions: Sequence[ev.Event], endpoint: str, began: ev.Event) -> list[ev.Event]:
    """What was true of the endpoint when it began: the last word on where it answers, its traffic and its load."""
    last: dict[type, ev.Event] = {}
    for event in decisions:
        if event.seq >= began.seq:
            break
        if getattr(event.body, "endpoint", None) == endpoint and isinstance(
            event.body, ev.Opened | ev.Routed | ev.Verified | ev.LoadStarted | ev.LoadEnded
        ):
            last[type(event.body)] = event
    return list(last.values())


def _telemetry(
    journal: Journal, spans: Sequence[tuple[float, float]], endpoint: str, release: str, began: ev.Event
) -> Iterator[ev.Event]:
    yield from journal.seen_before(endpoint, began.seq)
    for begin, end in spans:
        for event in journal.measured(begin, end):
            if getattr(event.body, "release", None) == release or getattr(event.body, "endpoint", None) == endpoint:
                yield event


def export(recorded: Recorded, path: Path, made_by: str, secrets: Collection[str] = ()) -> int:
    """Write the file, all of it or none; tells how many events. Raises BadInput."""
    beside = path.with_name(f".{path.name}.part")
    head = {"kind": KIND, "version": VERSION, "release": recorded.release, "endpoint": recorded.endpoint}
    try:
        with gzip.open(beside, "wt", encoding="utf-8") as file:
            file.write(json.dumps({**head, "made_by": made_by}) + "\n")
            for event in recorded.events:
                file.write(_masked(dumps(replace(event, body=_without_settings(event.body))), secrets) + "\n")
            file.write(json.dumps({"events": len(recorded.events)}) + "\n")
        beside.rename(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise BadInput(f"{path}: {error.strerror or error}; the recording is not written") from error
    return len(recorded.events)


def _without_settings(body: ev.Body) -> ev.Body:
    match body:
        case ev.Began():
            return replace(body, options={}, plan=replace(body.plan, sources=()))
        case ev.StepDone() | ev.StepFailed():
            return replace(body, result={})
        case _:
            return body


def _masked(line: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        if len(secret) >= SECRET_LENGTH:
            for written in (json.dumps(secret), json.dumps(secret, ensure_ascii=False)):
                line = line.replace(written[1:-1], "***")
    return _LOGIN.sub(r"\1***@", line)


def is_recording(path: Path) -> bool:
    """Whether a file begins as one does; raises BadInput where it can't be read."""
    try:
        with path.open("rb") as file:
            return file.read(len(GZIP)) == GZIP
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror or error}; name a release or a recording") from error


def read(path: Path) -> Recorded:
    """What was exported; raises BadInput for a file that is none, of a newer version, or cut off."""
    events: list[ev.Event] = []
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            head = _head(path, file.readline())
            for line in file:
                if line.startswith('{"events"'):
                    # Reading on to the end is what checks that no byte of it is another one.
                    if json.loads(line)["events"] != len(events) or file.read():
                        break
                    return Recorded(str(head["release"]), str(head["endpoint"]), tuple(events))
                events.append(loads(line))
    except (EOFError, zlib.error, gzip.BadGzipFile, UnicodeDecodeError):
        pass  # It ends too soon, or is damaged from here on.
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror or error}; name a release or a recording") from error
    except JournalError as error:
        raise BadInput(f"{path}, event {len(events) + 1}: {error}") from error
    raise BadInput(f"{path}: is cut off or damaged after {len(events)} events; export it again")


def _head(path: Path, line: str) -> dict[str, object]:
    try:
        head = json.loads(line)
        known = isinstance(head, dict) and head.get("kind") == KIND and {"version", "release", "endpoint"} <= set(head)
    except ValueError:
        known = False
    if not known:
        raise BadInput(f"{path}: no recording; 'quarterdeck export ID -o FILE' makes one")
    if not isinstance(head["version"], int) or head["version"] > VERSION:
        raise BadInput(f"{path}: made by a newer Quarterdeck ({head.get('made_by', '')}); install that one to play it")
    return dict(head)
