"""The keys that a text offers: none where nothing can be asked from here, and then another person is meant. Pure."""

from tui.styled import Line
from tui.view import View


def offered(view: View, *keys: tuple[str, str]) -> Line:
    """Keys and what they do."""
    return () if view.read_only else tuple(part for key, words in keys for part in ((key, "key"), (words, "text")))


def awaited(view: View, own: str = "you", other: str = "a person") -> str:
    """Who is waited for: whoever looks, or the key to press; somebody elsewhere where the deck only watches."""
    return other if view.read_only else own
