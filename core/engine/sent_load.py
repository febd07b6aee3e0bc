"""One load from its begin to its end, and the facts of how it ended."""

import asyncio
from dataclasses import dataclass, field

from core.domain.errors import BadInput, QuarterdeckError
from core.domain.gates import Gate
from core.domain.load_profile import LoadOutcome, LoadProfile, LoadSource
from core.domain.model import Version
from core.load.load import LoadResult, RunningLoad
from core.load.verdicts import verdicts
from core.state import events as ev
from core.system.processes import has_gone, whoami


@dataclass(slots=True, eq=False)
class SentLoad:
    """`announced`, `ended`: the facts of both are written, once each; `again`: another driver sent it before.

    Its begin is written before anything is started, so that nobody else's load can begin meanwhile.
    """

    endpoint: str
    kind: str
    profile: LoadProfile
    version: Version | None
    source: LoadSource = field(default_factory=LoadSource)
    limits: tuple[Gate, ...] = ()
    stay: bool = False
    by: str = ""
    live: Version | None = None
    again: bool = False
    announced: bool = False
    ended: bool = False
    over: bool = False
    load: RunningLoad | None = None
    task: asyncio.Task[None] | None = None
    stopped: str = ""
    applied: int = 0
    paused: bool = False
    asked: tuple[int, float] = (0, 0.0)

    @property
    def outlives(self) -> bool:
        """Whether it goes on without this process: it is to stay, or another process that is there asked for it."""
        return self.stay or (self.by not in ("", whoami()) and not has_gone(self.by))

    def came_to(self, result: LoadResult) -> ev.LoadEnded:
        """It ran; a test and what has limits is judged."""
        files = tuple(str(path) for path in result.artifacts)
        judged = verdicts(result, self.limits) if self.limits or self.kind == "test" else ()
        times = (result.ran_s, result.wanted_s)
        return ev.LoadEnded(
            self.endpoint, self.kind, result.why, files, result.how, *times, False, judged, result.total
        )

    def not_begun(self, error: QuarterdeckError) -> ev.LoadEnded:
        """It could not be begun."""
        given = isinstance(error, BadInput)
        return ev.LoadEnded(self.endpoint, self.kind, str(error), how=LoadOutcome.NOT_BEGUN, given=given)

    def was_stopped(self, why: str) -> ev.LoadEnded:
        """It was ended from here before it came to anything."""
        why, wanted_s = self.stopped or why, self.profile.duration_s
        return ev.LoadEnded(self.endpoint, self.kind, why, how=LoadOutcome.STOPPED, wanted_s=wanted_s)
