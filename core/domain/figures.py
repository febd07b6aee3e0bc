"""What is known beside answers: what replicas used, what the rows were, which answers were right. Frozen nouns."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Use:
    """What the replicas of a slot used. `cpu_percents` adds up shares of the request, one for each replica a second,
    `looks` of them; `memory_percent` is how much of its limit the fullest replica held at the last look."""

    looks: int = 0
    cpu_percents: float = 0.0
    memory_percent: float | None = None

    @property
    def cpu_percent(self) -> float | None:
        """CPU in percent of the request, over all replicas and seconds; None where nobody looked."""
        return self.cpu_percents / self.looks if self.looks else None


@dataclass(frozen=True, slots=True)
class Inputs:
    """Rows beside those of the training: `rows` were looked up among the known categories, and `unknown` of them hold
    another one; `compared` were held against the ranges of numbers, and `outside` of them leave one."""

    rows: int = 0
    unknown: int = 0
    compared: int = 0
    outside: int = 0


@dataclass(frozen=True, slots=True)
class RightAnswers:
    """How many of a version's answers turned out to be right, once the truth was known, and of how many."""

    right: int
    of: int

    def __str__(self) -> str:
        return f"{100 * self.right / self.of:.1f} % of {self.of:,}" if self.of else "none of 0"


def add_use(before: Use | None, after: Use | None) -> Use | None:
    """Both; memory is as the later one has it."""
    if before is None or after is None:
        return before if after is None else after
    memory = before.memory_percent if after.memory_percent is None else after.memory_percent
    return Use(before.looks + after.looks, before.cpu_percents + after.cpu_percents, memory)


def less_use(total: Use | None, some: Use | None) -> Use | None:
    """What is left once its oldest part is taken off."""
    if total is None or some is None:
        return total
    looks = total.looks - some.looks
    return Use(looks, total.cpu_percents - some.cpu_percents if looks else 0.0, total.memory_percent)


def add_inputs(one: Inputs | None, two: Inputs | None, sign: int = 1) -> Inputs | None:
    """Both together; with `sign` -1 the first without the second."""
    if one is None or two is None:
        return one if two is None else two
    return Inputs(
        one.rows + sign * two.rows,
        one.unknown + sign * two.unknown,
        one.compared + sign * two.compared,
        one.outside + sign * two.outside,
    )
