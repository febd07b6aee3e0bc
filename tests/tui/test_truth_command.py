"""`quarterdeck truth`: a file of answers and what they should have been becomes a fact, and names who is better."""

from pathlib import Path

import pytest

from core.domain.errors import BadInput, Refused
from core.domain.figures import RightAnswers
from core.state import commands as c, events as ev
from core.state.acceptance import accept
from core.state.fold import fold
from core.state.messages import message_of
from core.state.right_answers import sides_of
from core.state.snapshot import Snapshot
from tests.environments import V1, V2, Bridge, begin, canary_plan, ended, serve
from tui.truth_command import read

HEAD = "version,predicted,actual\n"


def test_a_file_is_counted_by_version(tmp_path: Path) -> None:
    file = tmp_path / "truth.csv"
    file.write_text(
        "\ufeffActual, VERSION ,id,predicted\n" + 'late,v2,1,late\nlate,2,2,"on, time"\n1.0,1,3,1\nno,1,4,no\n'
    )
    assert read(file) == {"2": RightAnswers(1, 2), "1": RightAnswers(2, 2)}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("version,predicted\n1,a\n", "has no column actual"),
        ("", "has no column version"),
        (HEAD, "holds no answer"),
        (f"{HEAD}1,a,a\n1,,a\n", "line 3: predicted is empty"),
        (f"{HEAD}1,a\n", "line 2: actual is empty"),
        (HEAD + "".join(f"{at},a,a\n" for at in range(30)), "line 22: more than 20 versions"),
        (f'{HEAD}1,"a,a\n', "is no CSV"),
        (f"{HEAD}1,a\0,a\n", "^((?!Traceback).)*$"),
    ],
)
def test_a_file_that_is_none_is_told_by_its_line(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "truth.csv"
    file.write_text(text)
    if "\0" in text:
        assert read(file) == {"1": RightAnswers(0, 1)}
        return
    with pytest.raises(BadInput, match=why):
        read(file)


def test_a_file_that_is_not_there_or_not_text_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"truth.csv: No such file"):
        read(tmp_path / "truth.csv")
    (tmp_path / "truth.csv").write_bytes(b"version,predicted,actual\n1,caf\xe9,a\n")
    with pytest.raises(BadInput, match="is no CSV as UTF-8"):
        read(tmp_path / "truth.csv")


async def test_the_newest_truth_is_a_fact_of_the_release(tmp_path: Path) -> None:
    store = Bridge(tmp_path)
    journal = store.journal()
    async with store.engine(journal) as engine:
        await serve(engine)
        with pytest.raises(Refused, match="r1: has no two versions to compare"):
            await engine.do(c.TellTruth("late", {"1": RightAnswers(1, 1)}))
        await engine.do(begin(V2, canary_plan()))
        release = await ended(engine, "r2")
        assert sides_of(release) is None
        with pytest.raises(Refused, match="compares v2 with v1: no answer of v1 is told, of v2, v7"):
            await engine.do(c.TellTruth("late", {"2": RightAnswers(1, 1), "7": RightAnswers(1, 1)}))
        for right in (700, 720):
            sides = {"1": RightAnswers(right, 800), "2": RightAnswers(780, 800), "7": RightAnswers(1, 1)}
            await engine.do(c.TellTruth("late", sides, "march.csv"))
        release = engine.snapshot.releases["r2"]
        assert sides_of(release) == (RightAnswers(780, 800), RightAnswers(720, 800))
        told = next(event for event in reversed(engine.since(0)) if isinstance(event.body, ev.TruthTold))
        said = message_of(told)
        assert said is not None
        assert said.text == "right: v2 in 97.5 % of 800, v1 in 90.0 % of 800, by march.csv"
    journal.close()


def test_what_can_not_be_is_refused() -> None:
    known = Snapshot()
    release = begin(V2, canary_plan())
    for fact in (*accept(release, known, 1.0), ev.Placed("r2", "green", "blue", V1)):
        known = fold(known, ev.Event(known.seq + 1, 1.0, "ada", fact))
    for told in (RightAnswers(3, 2), RightAnswers(-1, 2), RightAnswers(0, 0)):
        with pytest.raises(Refused, match="what is right is a part of what was answered"):
            accept(c.TellTruth("late", {"1": RightAnswers(1, 2), "2": told}), known, 2.0)
