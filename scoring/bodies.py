"""A large body, or one whose length is not known, as it comes: within its limit, its time and the room there is."""

from asyncio import timeout
from typing import Any

from scoring.payload import PayloadError
from scoring.slices import OneByOne

BODY_S = 60.0
"""So long a body may take to come."""
FULL = "more waits to be scored than there is room for: send it again in a second"


class Body:
    """One body, and the room that it takes until it is freed."""

    def __init__(self, room: OneByOne, limit: int, declared: str | None) -> None:
        self._room = room
        self._limit = limit
        self._declared = int(declared) if declared is not None and declared.isdecimal() else 0
        self._why: PayloadError | None = None
        self.held = 0

    async def read(self, http: Any) -> bytes:
        """The whole of it; `PayloadError` with 400, 408, 413 or 429. What is refused is read and thrown away, so that
        the sender hears the answer."""
        chunks: list[bytes] = []
        size = 0
        self._hold(self._declared)
        try:
            async with timeout(BODY_S):
                async for chunk in http:
                    size += len(chunk)
                    self._hold(size - self.held)
                    if self._why is None:
                        chunks.append(chunk)
                    else:
                        chunks.clear()
        except TimeoutError:
            text = f"the body did not come whole within {BODY_S:g} s: send it without a pause"
            raise PayloadError(408, text) from None
        except Exception:
            raise PayloadError(400, "the body broke off before its end") from None
        if self._why is not None:
            raise self._why
        return b"".join(chunks)

    def take(self, size: int) -> bool:
        """Take room for a body that is here; False where there is none."""
        self._hold(size)
        return self._why is None

    def free(self) -> None:
        """Give its room back."""
        self._room.free(self.held)
        self.held = 0

    def _hold(self, more: int) -> None:
        """Take room for so many bytes more; what there is no room for is refused, and holds none."""
        if self._why is not None or more <= 0:
            return
        if self.held + more > self._limit:
            self._why = PayloadError(413, f"the body is larger than {self._limit} bytes: send fewer rows at a time")
        elif self._room.hold(more):
            self.held += more
            return
        else:
            self._why = PayloadError(429, FULL)
        self.free()
