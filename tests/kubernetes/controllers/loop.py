"""What every controller shares: told of changes, it names what to look at, and looks. Asked again, it does no more."""

import asyncio
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field

from tests.kubernetes.errors import ApiError
from tests.kubernetes.kinds import ApiResource, Json
from tests.kubernetes.registry import Registry
from tests.kubernetes.storage import Key, StoreChange

AGAIN_S = 0.05
GATHERED_S = 0.005
"""Changes of so long are looked at together."""


class Controller:
    """Override `wants` and `look`. `later` marks something of this controller's after so many seconds."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.store = registry.store
        self.clock = registry.clock
        self.later: Callable[[float, Hashable], None] = lambda seconds, key: None

    def wants(self, change: StoreChange) -> Iterable[Hashable]:
        """What a change gives to look at."""
        raise NotImplementedError

    def look(self, key: Hashable) -> None:
        """Make true what should be."""
        raise NotImplementedError

    def get(self, of: ApiResource, key: Key) -> Json | None:
        """An object, if it is there."""
        return self.store.get(of.store, key)

    def owned(self, of: ApiResource, owner: Json) -> list[Json]:
        """The objects of a kind that this one owns, by name."""
        keys = sorted(key for store, key in self.store.owned.get(owner["metadata"]["uid"], ()) if store == of.store)
        return [body for key in keys if (body := self.store.get(of.store, key)) is not None]


@dataclass(slots=True)
class WorkLoop:
    """Looks at what is marked, in order, once for however many marks. Paused, it only remembers.

    What fails for a conflict is tried again; any other error is kept in `troubles`, for the end of the test.
    """

    controllers: list[Controller] = field(default_factory=list)
    troubles: list[BaseException] = field(default_factory=list)
    paused: bool = False
    _marked: dict[tuple[int, Hashable], None] = field(default_factory=dict)
    _scheduled: bool = False
    _timers: set[asyncio.TimerHandle] = field(default_factory=set)
    _ended: bool = False

    def add(self, controller: Controller) -> None:
        """Let it take part."""
        number = len(self.controllers)
        self.controllers.append(controller)
        controller.later = lambda seconds, key: self.later(seconds, number, key)

    def told(self, change: StoreChange) -> None:
        """A change happened."""
        for number, controller in enumerate(self.controllers):
            for key in controller.wants(change):
                self.mark(number, key)

    def mark(self, number: int, key: Hashable) -> None:
        """Have a controller look at something soon."""
        self._marked[number, key] = None
        self._schedule()

    def _schedule(self) -> None:
        if self._scheduled or self.paused or self._ended or not self._marked:
            return
        self._scheduled = True
        asyncio.get_running_loop().call_later(GATHERED_S, self._drain)

    def _drain(self) -> None:
        self._scheduled = False
        if self.paused or self._ended:
            return
        marked, self._marked = self._marked, {}
        for number, key in marked:
            try:
                self.controllers[number].look(key)
            except ApiError as error:
                if error.code != 409:
                    self.troubles.append(error)
                self.later(AGAIN_S, number, key)
            except Exception as error:
                self.troubles.append(error)
        self._schedule()

    def later(self, seconds: float, number: int, key: Hashable) -> None:
        """Mark after a while."""
        if self._ended:
            return

        def due() -> None:
            self._timers.discard(timer)
            self.mark(number, key)

        timer = asyncio.get_running_loop().call_later(seconds, due)
        self._timers.add(timer)

    def pause(self, *, paused: bool = True) -> None:
        """Do nothing until further notice, or go on."""
        self.paused = paused
        if not paused:
            self._schedule()

    def end(self) -> None:
        """For ever."""
        self._ended = True
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
