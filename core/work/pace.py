"""How long one row takes, asked often enough to know its 95th percentile. Loads nothing of a model's."""

import time
from collections.abc import Callable

LATE = 0.05
"""So many may take longer than the limit: what is judged is the 95th percentile."""


def paced(ask: Callable[[int], object], count: int, limit_ms: float) -> list[float]:
    """How many milliseconds each of `count` calls took; fewer, once the 95th percentile is above the limit for sure."""
    times: list[float] = []
    late = 0
    for number in range(count):
        began = time.perf_counter()
        ask(number)
        times.append((time.perf_counter() - began) * 1000)
        late += times[-1] > limit_ms
        if late > count * LATE + 1:
            break
    return times
