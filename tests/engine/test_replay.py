"""A recording is watched like a live engine, and takes no commands."""

import asyncio
from pathlib import Path

import pytest

from core.domain.errors import BadInput, JournalError, Refused
from core.engine.replay import Replay, save
from core.journal.journal import Journal
from core.state import events as ev
from core.state.commands import Pause
from core.state.fold import fold_all
from core.state.link import Link
from tests.environments import Bridge, serve


def told(*times: float) -> list[ev.Event]:
    return [ev.Event(seq, at, "ada", ev.Paused("r")) for seq, at in enumerate(times, 1)]


async def heard(link: Link, after: int | None = None) -> list[ev.Event]:
    return [event async for event in link.events(after)]


async def test_a_journal_and_its_recording_tell_the_same_story(tmp_path: Path) -> None:
    store = Bridge(tmp_path)
    journal = store.journal()
    async with store.engine(journal) as engine:
        await serve(engine)
        last = engine.snapshot
    journal.close()
    live = await heard(Replay(journal.path))
    save(live, tmp_path / "story.jsonl")
    assert await heard(Replay(tmp_path / "story.jsonl")) == live
    assert [event.seq for event in live] == list(range(1, len(live) + 1))
    assert fold_all(live).releases["r1"].outcome is last.releases["r1"].outcome
    assert await heard(Replay(tmp_path / "story.jsonl"), after=3) == live[3:]
    assert await heard(Replay(journal.path), after=3) == live[3:]


async def test_a_recording_plays_in_its_own_time_or_faster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(told(100.0, 110.0, 109.0, 130.0), tmp_path / "r.jsonl")
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    assert len(await heard(Replay(tmp_path / "r.jsonl", speed=300.0))) == 4
    assert waits == pytest.approx([10 / 300, 20 / 300])
    assert len(await heard(Replay(tmp_path / "r.jsonl"))) == 4
    assert len(waits) == 2


async def test_a_recording_can_end_at_a_moment(tmp_path: Path) -> None:
    save(told(100.0, 110.0, 120.0), tmp_path / "r.jsonl")
    assert [event.at for event in await heard(Replay(tmp_path / "r.jsonl", until=110.0))] == [100.0, 110.0]


async def test_nothing_can_be_asked_of_a_recording(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="pause: this is a recording"):
        await Replay(tmp_path / "r.jsonl").do(Pause("late"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "No such file or directory; name a journal"),
        ("{}\n", "line 1: no event"),
        ("\n\nhello\n", "line 3: not a noun"),
    ],
)
async def test_what_is_no_recording_is_one_line(tmp_path: Path, text: str | None, said: str) -> None:
    path = tmp_path / "r.jsonl"
    if text is not None:
        path.write_text(text)
    with pytest.raises(BadInput, match=said) as caught:
        await heard(Replay(path))
    assert str(caught.value).startswith(str(path))


async def test_a_recording_that_can_not_be_written_or_played_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="the recording is not written"):
        save([], tmp_path / "no" / "r.jsonl")
    with pytest.raises(BadInput, match="speed 0: must be above 0"):
        Replay(tmp_path / "r.jsonl", speed=0)


async def test_a_damaged_journal_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = Journal(path)
    journal.append([ev.Paused("r")], "ada", 1.0)
    journal.close()
    path.write_bytes(path.read_bytes()[:2000] + b"\xff" * 6000)
    with pytest.raises(JournalError, match="move it away"):
        await heard(Replay(path))
