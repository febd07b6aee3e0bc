"""Text of strangers: whatever a name, a message or a log line holds, nothing of it is obeyed where it is shown."""

import asyncio
import json
import unicodedata
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings as how, strategies as st

from core.config.config import load
from core.config.scaffold import init
from core.config.settings import Settings
from core.domain.errors import BadData, BadInput, Failed, Lost, QuarterdeckError, Refused
from core.domain.model import Noted, Observation, Replica, ReplicaState
from core.domain.plan import Plan, Work
from core.domain.sample import Sample
from core.engine import report
from core.engine.environment import Environment
from core.engine.observer import Observer, Store
from core.load.tally import Tally
from core.state import events as ev
from core.system.text import escaped
from core.targets.protocol import Report as Seen, Target
from core.work import data
from core.work.child import WorkChild
from core.work.job import Broken, Done, Job, OutputLine, Progress, Report, Said, decode, encode, needed, one_line
from tests.environments import V2, begin
from tests.world import serving

EVIL = "b\x1b[41;97mEVIL\x1b[0m"
HIDDEN = "\u202egnp.exe\u2066\x9b31m\x07\r\x00"
FEW = how(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
hostile = st.text(
    st.sampled_from("ab,;\"'\t\n\r\x00\x07\x1b[]m0;\x7f\x9b\u200b\u202e\u2066\u2028\ufeffé日✔"), min_size=1
)
"""Names made of all that a terminal, a table or a reader could take for more than a letter."""


def tame(text: str) -> bool:
    """Nothing in it moves, colours, hides or turns anything."""
    return not any(unicodedata.category(sign) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for sign in text)


def small(folder: Path, **of_data: object) -> Settings:
    """A project over somebody's own rows."""
    values = {
        "folder": str(folder),
        "data": {"source": "rows.csv", "target": "kind", **of_data},
        "train": {"cv_folds": 2},
        "endpoint": {"name": "late"},
    }
    return Settings.model_validate_json(json.dumps(values))


def rows(first: str, second: str, labels: tuple[str, str] = ("no", "yes")) -> pd.DataFrame:
    """Forty rows; the second column repeats the first, so that both names are said."""
    number = [float(at % 7) for at in range(40)]
    return pd.DataFrame({first: number, second: number, "other": range(0, 80, 2), "kind": [*labels] * 20})


@given(hostile)
def test_an_error_of_ours_is_one_tame_line(text: str) -> None:
    for kind in (QuarterdeckError, BadInput, BadData, Failed):
        assert tame(str(kind(f"{text}: no such column")))


@given(hostile)
def test_what_a_child_says_is_tame_and_what_it_found_is_as_it_was(text: str) -> None:
    said: list[Said] = [OutputLine(text), Progress(0.5, text, {"best": text}), Done({text: [text]}, text)]
    line, progress, done = (decode(encode(each)) for each in said)
    assert isinstance(line, OutputLine)
    assert isinstance(progress, Progress)
    assert isinstance(done, Done)
    assert all(map(tame, (line.text, progress.text, str(progress.figures["best"]), done.figure)))
    assert done.result == {text: [text]}
    broken = decode(encode(Broken("BadData", text)))
    assert isinstance(broken, Broken)
    assert tame(str(broken.error()))
    assert tame(one_line(text))


@FEW
@given(first=hostile, second=hostile, labels=st.tuples(hostile, hostile))
def test_hostile_names_train_as_they_are_and_are_said_tamely(
    tmp_path: Path, first: str, second: str, labels: tuple[str, str]
) -> None:
    if len({first, second, "other", "kind"}) < 4:
        return
    heard: list[Said] = []
    say = Report(lambda said: heard.append(decode(encode(said))))
    frame, project = rows(first, second, labels), small(tmp_path)
    meant = {label.strip() for label in labels}
    # A blank is a missing label, and half of these rows are too few.
    if len(meant) < 2 or "" in meant:
        with pytest.raises(BadData) as refused:
            data.prepare(frame, project, say)
        assert tame(str(refused.value))
    else:
        dataset = data.prepare(frame, project, say)
        assert dataset.fields[0].name == first
        assert {str(label) for label in dataset.labels} == meant
    assert all(tame(said.text) for said in heard if isinstance(said, OutputLine))


@FEW
@given(key=hostile, value=hostile)
def test_a_hostile_file_of_settings_is_refused_tamely(tmp_path: Path, key: str, value: str) -> None:
    path = tmp_path / "quarterdeck.yaml"
    for text in (
        json.dumps({"data": {"source": "iris", "target": "species", key: value}, "endpoint": {"name": value}}),
        json.dumps({"data": {"source": "iris", "target": "species"}, "environments": {key: value}}),
        f"{key}: [{value}",
    ):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(BadInput) as refused:
            load(path, environ={})
        assert tame(str(refused.value))


@pytest.fixture
async def child() -> AsyncIterator[WorkChild]:
    """A real one."""
    async with asyncio.timeout(60):
        one = WorkChild()
        yield one
        await one.close()


async def test_a_table_with_an_evil_header_tears_no_line(child: WorkChild, tmp_path: Path) -> None:
    """By the real child: rows are learned from under their own name, and each line about them can be shown."""
    lines = [f"a,{EVIL},{HIDDEN[0]}twin,kind"]
    lines += [
        f"0.{at:03},{'1' if at % 9 == 0 else ''},0.{at:03},{'yes' if at > 300 else 'no'}" for at in range(100, 500)
    ]
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    said = [each async for each in child.run(Job("data", tmp_path / "r1", small(tmp_path)))]
    texts = [each.text for each in said if isinstance(each, OutputLine)]
    assert any("bEVIL" in text for text in texts), texts
    assert all(map(tame, texts)), texts
    done = said[-1]
    assert isinstance(done, Done)
    assert EVIL in json.dumps(
        needed(tmp_path / "r1", "data", "the test")["report"], ensure_ascii=False
    ).encode().decode("unicode_escape")
    await child.close()
    assert tame((tmp_path / "r1" / "work.log").read_text().replace("\n", ""))
    missing = Job("data", tmp_path / "r2", small(tmp_path, drop=[HIDDEN]))
    with pytest.raises(BadData) as refused:
        _ = [each async for each in child.run(missing)]
    assert tame(str(refused.value))


def test_init_over_an_evil_table_offers_its_columns_tamely(tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    table.write_text(f"a,{EVIL},{HIDDEN}\n1,2,3\n", encoding="utf-8", newline="")
    with pytest.raises(BadInput, match="bEVIL") as refused:
        init(tmp_path / "own", data=table)
    assert tame(str(refused.value))


def test_a_report_shows_hostile_names_as_what_they_are(tmp_path: Path) -> None:
    """As JSON nothing is lost; on the page nothing is obeyed, and no tag is opened."""
    world = serving()
    world.do(begin(V2, Plan("short", (Work("train"),))))
    world.say(
        ev.StepStarted("r2", 0),
        ev.StepDone("r2", 0, f"<script>{EVIL}|", {EVIL: {HIDDEN: 1}}),
        ev.Logged("late", "train", f"{EVIL} {HIDDEN}"),
        ev.Ended("r2", ev.Outcome.DONE, f"<img src=x> {EVIL}"),
    )
    folder = report.write(world.snapshot, world.snapshot.releases["r2"], tmp_path / "run", None, tmp_path)
    written = {path: path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file()}
    assert {path.name for path in written} >= {"report.md", "report.json", "metrics.json", "release.log"}
    for path, text in written.items():
        assert tame(text.replace("\n", "")), path
    page = written[folder / "report.md"]
    assert "&lt;script>bEVIL\\|" in page
    assert "<img" not in page
    assert json.loads(written[folder / "report.json"])["steps"][0]["result"] == {EVIL: {HIDDEN: 1}}


@given(hostile)
def test_escaping_loses_nothing(text: str) -> None:
    written = escaped(json.dumps({text: text}, ensure_ascii=False))
    assert tame(written)
    assert json.loads(written) == {text: text}


@given(hostile, hostile)
def test_kinds_of_failure_and_labels_are_tame_where_a_load_counts_them(kind: str, label: str) -> None:
    tally = Tally()
    tally.request(1.0, None, kind, 5.0)
    tally.request(1.0, type("Answer", (), {"headers": {"x-label": label}, "status_code": 200}), None, 5.0)
    tally.error(ValueError(kind))
    figures = tally.take()
    assert all(map(tame, [*figures["failed"], *figures["mix"]]))


class _Telling:
    """A target that says one thing."""

    def __init__(self, said: Seen) -> None:
        self.said = said

    async def watch(self) -> AsyncIterator[Seen]:
        yield self.said
        raise Lost("enough")

    async def address(self) -> None:
        raise Refused("nowhere")


@pytest.mark.parametrize(
    "said",
    [
        Noted(f"replica died: {EVIL}{HIDDEN}"),
        Observation(
            "green", V2, 1, 0, 0.0, (Replica("green-1", ReplicaState.DEAD, why=f"{EVIL}{HIDDEN}"),), why=HIDDEN
        ),
        Sample("green", 1.0, 1, {HIDDEN: 1, HIDDEN + "\x00": 2}, mix={f"label:{EVIL}": 1}),
    ],
    ids=["a note", "an observation", "a sample"],
)
async def test_what_a_target_says_is_tame_in_the_journal(said: Seen) -> None:
    world = serving()
    told: list[ev.Body] = []

    async def emit(*bodies: ev.Body) -> None:
        told.extend(bodies)

    environment = cast("Environment", type("Here", (), {"endpoint": "late"}))
    observer = Observer(cast("Store", world), environment, cast("Target", _Telling(said)), emit)
    with pytest.raises(Lost):
        await observer.run()
    assert told
    assert "\\x" not in repr(told)
    assert "\\u" not in repr(told)
