"""How long to rest before what failed is tried again."""

from core.state import events as ev
from core.state.endpoint import Pending
from core.state.fold_pending import key_of

AGAIN_S = (1.0, 5.0, 15.0, 60.0, 300.0)
"""After the first try, the second, and so on."""


def rest_s(pending: tuple[Pending, ...], asked: ev.Pended) -> float:
    """The rest before the next try of something, by how often it was tried."""
    tries = next((one.tries for one in pending if key_of(one) == key_of(asked)), 0)
    return AGAIN_S[min(tries, len(AGAIN_S) - 1)]
