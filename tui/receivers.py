"""Who is to be told and takes nothing: since when, why, how much waits, and when the next try is. Pure."""

from collections.abc import Sequence
from typing import Any

from core.state.endpoint import Endpoint
from core.system.text import counted
from tui import format as as_text
from tui.moments import iso


def failing_lines(endpoint: Endpoint, receivers: Sequence[str], now: float) -> list[str]:
    """A line for each of these receivers that took nothing since a try of its failed."""
    lines = []
    for name in receivers:
        if (one := endpoint.failing.get(name)) is None:
            continue
        waiting = _waiting(endpoint, name)
        then = "the next message is the next try"
        if waiting:
            verb = "waits" if waiting == 1 else "wait"
            left = one.again_at - now
            again = f"in {as_text.about(left)}" if left > 0 else "now"
            then = f"{counted(waiting, 'message')} {verb}, next try {again}"
        since = f"since {as_text.clock(one.since)} ({as_text.about(max(0.0, now - one.since))})"
        lines.append(f"{name} takes nothing {since}: {one.why}; {then}")
    return lines


def failing_rows(endpoint: Endpoint, receivers: Sequence[str], now: float) -> dict[str, dict[str, Any]]:
    """The same for programs, by receiver; `again_at` is None where no message waits."""
    return {
        name: {
            "since": iso(one.since),
            "for_s": round(max(0.0, now - one.since), 1),
            "why": one.why,
            "waiting": _waiting(endpoint, name),
            "again_at": iso(one.again_at) if _waiting(endpoint, name) else None,
        }
        for name in receivers
        if (one := endpoint.failing.get(name)) is not None
    }


def _waiting(endpoint: Endpoint, receiver: str) -> int:
    return sum(one.receiver == receiver for one in endpoint.untold)
