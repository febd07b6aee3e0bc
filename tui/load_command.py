"""`quarterdeck load`: load on what is served, its lines, its verdicts, its exit code."""

import asyncio
import signal
from collections.abc import Callable

from core.config.config import endpoint_name
from core.config.planner import limits_of
from core.domain.gates import GateResult, judge
from core.domain.model import LoadProfile, LoadSource, Sample
from core.engine.project import Project
from core.state import commands as c, events as ev
from tui.headless import have_watch, opened
from tui.plain_lines import Lines, judged


async def load(project: Project, profile: LoadProfile, source: LoadSource, write: Callable[[str], None]) -> int:
    """Load on the endpoint until it ends; 1 when it went over the project's limits. Ctrl-c ends it in good order."""
    await have_watch(project, write)
    async with opened(project) as engine:
        name = endpoint_name(project.settings)
        after = engine.snapshot.seq
        await engine.do(c.StartLoad(name, profile, source))
        loop = asyncio.get_running_loop()
        stop = c.SetLoad(name, stop=True)
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, lambda: asyncio.ensure_future(engine.do(stop)))
        lines, total, begun = Lines(name, write), Sample(None, 0.0, seconds=0.0), False
        async for event in engine.events(after):
            lines.say(event, engine.snapshot)
            match event.body:
                case ev.Sampled(sample=sample) if sample.slot is None:
                    total = total + sample
                case ev.LoadStarted(kind="manual"):
                    begun = True
                # The end of an earlier one, whose driver was killed, may be said first.
                case ev.LoadEnded(kind="manual", artifacts=artifacts) if begun:
                    break
                case _:
                    pass
    return _limits(project, total, artifacts, write)


def _limits(project: Project, total: Sample, artifacts: tuple[str, ...], write: Callable[[str], None]) -> int:
    verdicts = [judge(gate, total, None) for gate in limits_of(project.settings)]
    for verdict in verdicts:
        write(judged(verdict))
    for path in artifacts:
        write(path)
    return 0 if all(verdict.outcome is GateResult.PASS for verdict in verdicts) else 1
