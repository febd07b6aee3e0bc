"""The nearest right word for a wrong one."""

import difflib
from collections.abc import Iterable


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """The known word that was meant; empty where none is near."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=cutoff)), "")


def did_you_mean(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """`; did you mean late?`, or nothing where no known word is near."""
    near = nearest(word, known, cutoff)
    return f"; did you mean {near}?" if near else ""
