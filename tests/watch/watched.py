"""An engine with what the watch has around it: it looks after what serves, and tells people."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from core.engine.engine import Engine
from core.watch.alerting import Alerting
from core.watch.scopes import AlertScope
from core.watch.telling import Telling
from tests.environments import Bridge


@contextlib.asynccontextmanager
async def watched(
    store: Bridge, given: dict[str, AlertScope], environ: dict[str, str] | None = None
) -> AsyncIterator[Engine]:
    """An engine as the watch's, with v1 served, looked after and talked about."""
    journal = store.journal()
    async with store.engine(journal, "watch") as engine:
        alerting = Alerting(engine, lambda: given, store.folder, store.journal)
        talk = Telling(engine, lambda: given, store.folder, environ or {})
        tasks = [asyncio.create_task(alerting.run()), asyncio.create_task(talk.run())]
        try:
            yield engine
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
    journal.close()
