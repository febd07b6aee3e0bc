"""A release in a file: all of it that was, nothing that must not leave, and one line for a file that is none."""

import contextlib
import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.domain.errors import BadInput
from core.domain.histogram import Histogram
from core.domain.model import Observation
from core.domain.sample import Sample
from core.domain.sources import MetricSource
from core.engine import recording
from core.journal.journal import Journal
from core.state import events as ev
from core.state.fold import fold_all
from tests.environments import V1
from tests.tui import past

SECRET = "s3cret/välue"
ASKED = MetricSource("sold", "json", "http://shop.lan/of/ours", "sold")


def sample(at: float) -> ev.Sampled:
    return ev.Sampled(past.ENDPOINT, Sample("blue", past.T + at, 10, {}, None, Histogram.of([5.0] * 10)))


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with contextlib.closing(Journal(tmp_path / "journal.db")) as opened:
        facts: list[tuple[float, str, ev.Body]] = [
            *past.facts(),
            (1.5, "watch", ev.Observed(past.ENDPOINT, Observation("blue", V1, 1, 1, 100.0))),
            *((at, "watch", sample(at)) for at in (10.0, 3500.0, 3600.5, 3650.0, 3750.0, 20_000.0, 90_000.0)),
            (3650.0, "watch", ev.Logged("elsewhere", "train", "not ours")),
            (3651.0, "watch", ev.Logged(past.ENDPOINT, "train", f"key is {SECRET} at https://ada:pass@models.lan/x")),
            (3652.0, "ada", ev.LoadEnded(past.ENDPOINT, "manual", "by hand")),
            (90_010.0, "bob", ev.Reasoned("r2", "it answered late")),
        ]
        for at, who, body in sorted(facts, key=lambda fact: fact[0]):
            opened.append([body], who, past.T + at)
        yield opened


def test_it_holds_the_release_with_what_was_measured_around_it_and_nothing_of_others(journal: Journal) -> None:
    found = recording.taken(journal, "r2")
    assert found.endpoint == past.ENDPOINT
    kinds = [type(event.body).__name__ for event in found.events]
    assert "Observed" in kinds[:3], "what was there when it began"
    samples = [round(event.at - past.T, 1) for event in found.events if isinstance(event.body, ev.Sampled)]
    assert samples == [3500.0, 3600.5, 3650.0, 3750.0, 90_000.0], "a word a day later brings its minutes"
    assert "not ours" not in str(found.events)
    assert {getattr(event.body, "release", None) for event in found.events} <= {"r1", "r2", None}
    assert "LoadEnded" in kinds
    last = fold_all(found.events).releases["r2"]
    assert (last.outcome, last.reason) == (ev.Outcome.ROLLED_BACK, "it answered late")
    assert found.begin == past.T + 3600 - recording.LEAD_S


def test_a_file_says_the_same_without_settings_and_without_secrets(journal: Journal, tmp_path: Path) -> None:
    journal.append(
        [
            ev.Began(
                "r9",
                "late",
                "prod",
                replace(past.PLAN, sources=(ASKED,)),
                options={"settings": "folder: /home/ada", "variables_of": "r9"},
            )
        ],
        "ada",
        past.T + 99_000,
    )
    for name in ("r2", "r9"):
        path = tmp_path / f"{name}.qdr"
        found = recording.taken(journal, name)
        assert recording.export(found, path, "9.9", {SECRET, "1"}) == len(found.events)
        text = gzip.decompress(path.read_bytes()).decode()
        assert "ada:pass" not in text
        assert SECRET not in text
        assert json.dumps(SECRET)[1:-1] not in text
        assert "/home/ada" not in text
        assert "shop.lan" not in text
        read = recording.read(path)
        assert (read.release, read.endpoint) == (name, found.endpoint)
        assert [(e.seq, e.at, e.who, type(e.body)) for e in read.events] == [
            (e.seq, e.at, e.who, type(e.body)) for e in found.events
        ]
    assert "https://***@models.lan/x" in gzip.decompress((tmp_path / "r2.qdr").read_bytes()).decode()


def test_a_release_that_is_not_there_is_a_line(journal: Journal) -> None:
    with pytest.raises(BadInput, match="r7: no such release here; 'quarterdeck releases' lists them"):
        recording.taken(journal, "r7")


def test_a_file_that_is_cut_off_anywhere_is_a_line(journal: Journal, tmp_path: Path) -> None:
    path = tmp_path / "r2.qdr"
    recording.export(recording.taken(journal, "r2"), path, "9.9")
    whole = path.read_bytes()
    for size in range(20, len(whole) - 1, 37):
        path.write_bytes(whole[:size])
        with pytest.raises(BadInput, match=rf"^{path}: (is cut off or damaged|no recording)"):
            recording.read(path)
    path.write_bytes(whole[:-20] + b"\x00" * 12 + whole[-8:])
    with pytest.raises(BadInput, match="cut off or damaged"):
        recording.read(path)


def packed(path: Path, *lines: str) -> Path:
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode()))
    return path


HEAD = json.dumps({"kind": recording.KIND, "version": 1, "release": "r", "endpoint": "late", "made_by": "9.9"})


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ((HEAD.replace('"version": 1', '"version": 2'),), r"made by a newer Quarterdeck \(9.9\); install that one"),
        (("{}",), "no recording; 'quarterdeck export ID -o FILE' makes one"),
        (("hello",), "no recording"),
        ((HEAD,), "is cut off or damaged after 0 events; export it again"),
        ((HEAD, '{"events": 3}'), "is cut off or damaged"),
        (
            (HEAD, '{"is":"Event","seq":1,"at":1.0,"who":"a","body":{"is":"Danced"}}'),
            "Danced: unknown to this",
        ),
    ],
)
def test_what_is_no_recording_of_ours_is_a_line(tmp_path: Path, lines: tuple[str, ...], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        recording.read(packed(tmp_path / "r.qdr", *lines))


def test_no_file_and_no_room_are_a_line(journal: Journal, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="No such file"):
        recording.read(tmp_path / "no.qdr")
    with pytest.raises(BadInput, match="the recording is not written"):
        recording.export(recording.taken(journal, "r2"), tmp_path / "no" / "r.qdr", "9.9")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(BadInput, match="is cut off or damaged"):
        recording.read(tmp_path / "text")
