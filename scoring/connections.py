"""How long senders may keep a connection: where nothing stands between them and the service that splits requests, their
traffic goes elsewhere only with their next one."""

from scoring.answers import CLOSE, Headers
from scoring.batching import Reply

MOST = 10_000
"""So many connections are known at a time; beyond that the oldest are asked to end a little early."""


class ConnectionAges:
    """Asks senders to end a connection that is older than `limit_s`, with an answer that they get anyway."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._since_s: dict[str, float] = {}

    def aged(self, reply: Reply, sender: str, now_s: float) -> Reply:
        """The way back to a sender, by address and port: the same, or one that ends with this answer."""
        since_s = self._since_s.setdefault(sender, now_s)
        if now_s - since_s >= self._limit_s:
            del self._since_s[sender]
            return _Last(reply)
        if len(self._since_s) > MOST:
            # Connections that ended by themselves are forgotten with those that are long over.
            over = [one for one, at_s in self._since_s.items() if now_s - at_s > 2 * self._limit_s]
            for one in over or list(self._since_s)[: MOST // 2]:
                del self._since_s[one]
        return reply


class _Last:
    """Stands before a sender whose connection ends with the answer."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None:
        """Send an answer on, the last of its connection."""
        self._reply.response_bytes(status, [*headers, CLOSE], body)
