"""Work in a thread of its own, awaited. A pool would fill with calls that hang, and be waited for at the very end."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


async def in_thread(work: Callable[[], T], name: str) -> T:
    """What `work` returns or raises. Whoever is cancelled leaves it to its end, and nobody waits for it then."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result: T | None = None
        error: BaseException | None = None
        try:
            result = work()
        except BaseException as raised:  # it is raised where it is awaited
            error = raised
        with suppress(RuntimeError):  # The loop has ended, and nobody asks any more.
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, name=f"kubernetes {name}", daemon=True).start()
    return await answer
