"""One call to a target: bounded, given up where the release turns, rested and counted where nobody answers."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from core.domain.errors import BadInput, Failed, QuarterdeckError, Unreachable
from core.engine.named_files import beside
from core.engine.observer import AGAIN_S, Emit, Store
from core.engine.step_runner import purpose
from core.state import events as ev
from core.state.release import Release, ReleaseState

IDLE_S = 1.0
BACK_REST_S = 1.0
REST_S = 5.0
"""So long a call that nobody answered rests at the most; on the way back `BACK_REST_S`."""
log = logging.getLogger("quarterdeck")


class Calls:
    """The calls of one driver. `live` tells the release that it drives now, `lacks` which of its variables name what
    is gone, and `outdated` whether others were kept since, so that another driver comes."""

    def __init__(
        self,
        store: Store,
        emit: Emit,
        live: Callable[[], Release | None],
        lacks: Callable[[], str] = str,
        outdated: Callable[[], bool] = bool,
    ) -> None:
        self._store = store
        self._emit = emit
        self._live = live
        self._lacks = lacks
        self._outdated = outdated
        self._failing = ("", 0)

    async def ask(self, release: Release, call: Awaitable[None]) -> bool:
        """Whether the target accepted. Raises what it refuses with, which is never asked again by itself.

        Nobody answered: it was written down and rested, for the next turn to ask again until the step's deadline.
        Where the release turns meanwhile, the answer is not waited for; the call may still land, before the next one.
        """
        within_s = release.plan.patience.call_s
        back = release.state is not ReleaseState.RUNNING
        lacked = self._lacks() if back else ""
        try:
            async with asyncio.timeout(within_s):
                if not await self._answered(call, purpose(release)):
                    return False
        except (Unreachable, TimeoutError) as error:
            await self._rest(release, str(error) or f"the target did not answer within {within_s:g} s")
            return False
        except BadInput as error:
            # What is named may come back, and who asks from another shell brings another, if only since the call began:
            # the way back goes on.
            if not (back and (lacked or self._lacks() or self._outdated())):
                raise
            await self._rest(release, str(error))
            return False
        except QuarterdeckError:
            raise
        except Exception as error:
            log.exception("a call to the target of %s", release.endpoint)
            raise Failed(f"{type(error).__name__}: {error}") from error
        self._failing = ("", 0)
        return True

    def goes(self, for_: tuple[object, ...]) -> bool:
        """Whether the release still goes where it went."""
        release = self._live()
        return release is not None and purpose(release) == for_

    async def _answered(self, call: Awaitable[None], for_: tuple[object, ...]) -> bool:
        """Whether the target accepted before the release turned round; raises what the target says."""
        asking = asyncio.ensure_future(call)
        try:
            while not asking.done():
                if not self.goes(for_):
                    return False
                changing = asyncio.create_task(self._store.change(IDLE_S), name="hear of a change")
                try:
                    await asyncio.wait({asking, changing}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    changing.cancel()
            await asking
            # Turned in the very moment of the answer: what was asked for is no longer what is wanted.
            return self.goes(for_)
        finally:
            asking.cancel()

    async def _rest(self, release: Release, why: str) -> None:
        """Wait before the same is asked again, longer each time. The same words are counted, not repeated."""
        why = beside(why, self._lacks())
        words, count = self._failing
        count = count + 1 if words == why else 1
        self._failing = (why, count)
        if count & (count - 1) == 0:
            index = release.index if release.state is ReleaseState.RUNNING else None
            await self._emit(ev.AskFailed(release.id, why, count, index))
        most_s = BACK_REST_S if release.state is ReleaseState.BACK else REST_S
        until_s = time.monotonic() + min(AGAIN_S * 2 ** min(count - 1, 8), most_s)
        while (left_s := until_s - time.monotonic()) > 0 and self.goes(purpose(release)):
            await self._store.change(left_s)
