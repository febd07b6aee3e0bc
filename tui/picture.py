"""A picture of the deck without a terminal, as SVG: for a README, or for a report."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from core.domain.errors import Failed
from core.state.link import Link
from tui.app import DeckApp

SETTLE_S = 0.4
LIMIT_S = 20.0


async def picture(
    link: Link, size: tuple[int, int], path: Path, now: Callable[[], float] | None = None, look: str = "dark"
) -> None:
    """Write what the deck shows of a link once nothing new comes; raises Failed when it takes too long.

    `now` is the deck's clock; by default the moment of the newest event, so that a past log shows as it was.
    """
    app = DeckApp(link, read_only=False, look=look)
    app.now = now or (lambda: app.snapshot.at)
    async with app.run_test(size=size) as pilot:
        async with asyncio.timeout(LIMIT_S):
            before = -1
            while app.snapshot.seq != before or not app.deck.ready:
                before = app.snapshot.seq
                await pilot.pause(SETTLE_S)
        if not app.snapshot.seq and app.follower.lost:
            raise Failed(f"no picture: {app.follower.lost}")
        app.frame()
        await pilot.pause()
        app.frame()
        await pilot.pause()
        # Writing waits for a disk; nothing else runs here that could mind.
        path.write_text(app.export_screenshot(title="quarterdeck"), encoding="utf-8")  # noqa: ASYNC240
