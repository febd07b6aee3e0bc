"""The demo on a terminal: the deck itself, with each key that the story presses shown."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from core.domain.errors import QuarterdeckError
from core.engine.engine import Engine
from core.engine.project import Project
from core.state import commands as c
from tui import headless, theme
from tui.app import DeckApp
from tui.demo_narrator import DemoFigures, Narrator

READ_S = 4.0
"""So long a caption stands before the story goes on."""
END_S = 8.0


@dataclass(slots=True)
class OnScreen:
    """The story as keys on the deck."""

    app: DeckApp

    async def tell(self, words: str) -> None:
        """A caption."""
        self.app.show_key("", words)

    async def press(self, key: str, words: str, command: c.Command) -> None:  # noqa: ARG002
        """The key itself: the deck asks for what it stands for."""
        self.app.show_key(key, words)
        await asyncio.sleep(READ_S)
        await self.app.press(key, words)


async def on_screen(project: Project, acts: Callable[[Engine, Narrator], Awaitable[None]]) -> DemoFigures:
    """Play the story in the deck; leaving it early ends the story."""
    told = DemoFigures()
    async with headless.opened(project) as engine:
        app = DeckApp(engine, caption="demo", now=engine.now, look=theme.of_terminal())
        stage = OnScreen(app)

        async def follow() -> None:
            async for event in engine.events(0):
                told.take(event)

        async def play() -> None:
            try:
                await acts(engine, stage)
                await stage.tell("that was it: trained, served, released, scaled, taken back")
                await asyncio.sleep(END_S)
            finally:
                app.exit()

        following = asyncio.create_task(follow(), name="count the story")
        playing = asyncio.create_task(play(), name="play the story")
        try:
            await app.run_async()
        finally:
            playing.cancel()
            following.cancel()
            results = await asyncio.gather(playing, following, return_exceptions=True)
        for result in results:
            if isinstance(result, QuarterdeckError):
                raise result
    return told
