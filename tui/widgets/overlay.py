"""What stands over the deck for a moment and says something when it goes."""

from typing import Generic, TypeVar

from textual.await_complete import AwaitComplete
from textual.screen import ModalScreen

T = TypeVar("T")


class Overlay(ModalScreen[T], Generic[T]):
    """A screen that goes once: where the deck is slow, the key that closes it may be there twice."""

    def dismiss(self, result: T | None = None) -> AwaitComplete:
        """Go, with what it came to; nothing where it is gone already."""
        return super().dismiss(result) if self.is_current else AwaitComplete()
