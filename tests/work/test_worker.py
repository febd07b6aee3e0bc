"""What the child says by itself while a step is silent."""

import io
import threading
import time

import pytest

from core.work import worker
from core.work.job import Done, OutputLine, Progress, decode

DEADLINE_S = 60.0


def test_a_silent_step_is_said_to_go_on_until_it_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "SILENT_S", 0.02)
    words, over = io.StringIO(), threading.Event()
    speaker = worker.Speaker(words)
    thread = threading.Thread(target=speaker.go_on, args=(over,))
    thread.start()
    try:
        speaker.begin()
        speaker.tell(Progress(0.5, "1 of 2", {"best": 0.9}))
        speaker.tell(OutputLine("a line"))
        until = time.monotonic() + DEADLINE_S
        while words.getvalue().count("\n") < 4 and time.monotonic() < until:
            over.wait(0.005)
        speaker.tell(Done({}, "1"))
        count = words.getvalue().count("\n")
        over.wait(0.1)
        assert words.getvalue().count("\n") == count, "nothing is said once it is done"
    finally:
        over.set()
        thread.join(DEADLINE_S)
    first, line, *others, done = [decode(line) for line in words.getvalue().splitlines()]
    assert first == Progress(0.5, "1 of 2", {"best": 0.9})
    assert line == OutputLine("a line")
    assert others
    assert all(isinstance(each, Progress) and each.text == "1 of 2, for 0 s" and each.again for each in others)
    assert isinstance(done, Done)
