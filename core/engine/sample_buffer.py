"""Samples held back while nobody looks, until they make a larger one."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from core.domain.model import Slot
from core.domain.sample import Sample
from core.state import events as ev

COARSE_S = 10.0
"""While nobody looks, one sample covers so many seconds."""


@dataclass(slots=True)
class SampleBuffer:
    """Adds up samples of an endpoint until they cover `COARSE_S`; everything else passes."""

    _open: dict[tuple[str, Slot | None], Sample] = field(default_factory=dict)

    def take(self, bodies: Sequence[ev.Body], coarse: bool) -> list[ev.Body]:
        """What is to be written down now of these facts, and of what was held back before."""
        ready: list[ev.Body] = []
        for body in bodies:
            if not isinstance(body, ev.Sampled):
                ready.append(body)
                continue
            key = (body.endpoint, body.sample.slot)
            before = self._open.pop(key, None)
            if before is not None and bool(before.mirrored) != bool(body.sample.mirrored):
                # What was answered to copies is added to nothing that users were answered.
                ready.append(ev.Sampled(body.endpoint, before))
                before = None
            sample = body.sample if before is None else before + body.sample
            if coarse and sample.seconds < COARSE_S:
                self._open[key] = sample
            else:
                ready.append(ev.Sampled(body.endpoint, sample))
        return ready
