"""Samples held back add up, and copies to nothing that users were answered."""

from core.domain.sample import Sample
from core.engine.sample_buffer import SampleBuffer
from core.state import events as ev


def test_what_is_held_back_of_copies_is_written_down_before_what_users_were_answered() -> None:
    buffer = SampleBuffer()
    told = [
        body
        for n, mirrored in enumerate((5, 5, 0, 0, 0), 1)
        for body in buffer.take([ev.Sampled("late", Sample("green", float(n), 5, mirrored=mirrored))], coarse=n < 5)
    ]
    assert [(one.sample.ok, one.sample.mirrored) for one in told if isinstance(one, ev.Sampled)] == [(10, 10), (15, 0)]
