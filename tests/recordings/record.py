"""A recording out of a project's journal, with nobody's name in it.

Run as `python -m tests.recordings.record JOURNAL OUT.jsonl`.
"""

import asyncio
import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path

from core.engine.replay import Replay, save
from core.state import events as ev
from core.state.codec import dumps, loads

USER, FOLDER = "ada", "/home/ada/late"


def told(events: list[ev.Event], project: Path) -> Iterator[ev.Event]:
    """The events without the settings that they carry, and with another name for who and where."""
    for event in events:
        body = event.body
        if isinstance(body, ev.Began):
            body = dataclasses.replace(body, options={})
        if isinstance(body, ev.StepDone):
            body = dataclasses.replace(body, result={})
        if isinstance(body, ev.Drove):
            body = dataclasses.replace(body, driver=USER)
        text = dumps(body).replace(str(project), FOLDER)
        yield ev.Event(event.seq, event.at, USER, loads(text))


async def read(journal: Path) -> list[ev.Event]:
    """All of a journal."""
    return [event async for event in Replay(journal).events()]


if __name__ == "__main__":
    source = Path(sys.argv[1]).resolve()
    save(told(asyncio.run(read(source)), source.parent.parent), Path(sys.argv[2]))
