"""Calls that may hang, such as on a network disk that is away: made in threads that nobody has to wait for.

`asyncio.to_thread` is not enough there: a loop that ends waits for its threads.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


async def aside(function: Callable[[], T], name: str = "aside") -> T:
    """What a function gives, or raises. Whoever gives up waiting leaves it to itself."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(give: Callable[[], None]) -> None:
        def settled() -> None:
            if not done.done():
                give()

        # The loop may have ended meanwhile.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(settled)

    def work() -> None:
        try:
            found = function()
        except Exception as error:
            raised = error
            settle(lambda: done.set_exception(raised))
        else:
            settle(lambda: done.set_result(found))

    threading.Thread(target=work, name=name, daemon=True).start()
    return await done
