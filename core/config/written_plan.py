"""The steps of a plan as a person writes them: `[smoke, mirror 20, shift 10, hold 10m, ask "go on?", shift 100]`."""

from collections.abc import Callable, Mapping

from core.config.quantities import LEAST_HOLD_S, MOST_S, to_seconds
from core.domain.plan import FULL, Ask, Hold, Mirror, Shift, Smoke, Step
from core.domain.strategies import MIRROR_MOST
from core.system.suggest import did_you_mean
from core.system.text import clean_line

QUESTION = "go on?"


def _share(word: str, text: str, most: float) -> float:
    """A share of the requests in percent; raises ValueError."""
    number = text.removesuffix("%").strip()
    try:
        share = float(number)
    except ValueError:
        raise ValueError(f"{word} {text}: takes a share of the requests in percent, such as '{word} 10'") from None
    if not 0 < share <= most:
        raise ValueError(f"{word} {text}: takes more than 0 and at most {most:g} percent")
    return share


def _span(text: str) -> float:
    try:
        span = to_seconds(text)
    except ValueError:
        raise ValueError(f"hold {text}: takes a time, such as 'hold 10m' or 'hold 90s'") from None
    if not LEAST_HOLD_S <= span <= MOST_S:
        raise ValueError(f"hold {text}: takes at least {LEAST_HOLD_S:g} s, or nothing is judged, and at most 366 d")
    return span


def _smoke(text: str) -> Step:
    if text:
        raise ValueError(f"smoke {text}: takes nothing; release.smoke says how many requests")
    return Smoke(0)


WORDS: Mapping[str, Callable[[str], Step]] = {
    "smoke": _smoke,
    "mirror": lambda text: Mirror(_share("mirror", text, MIRROR_MOST)),
    "shift": lambda text: Shift(_share("shift", text, FULL)),
    "hold": lambda text: Hold(_span(text), ()),
    # It is read in logs and on screens, whoever wrote it.
    "ask": lambda text: Ask(clean_line(text.strip("\"'")) or QUESTION),
}


def step_of(line: str) -> Step:
    """One step out of its line; raises ValueError with what is wrong with it."""
    word, _, rest = line.strip().partition(" ")
    if word not in WORDS:
        raise ValueError(
            f"{line.strip()!r}: no step begins with it; one of {', '.join(WORDS)}{did_you_mean(word, WORDS)}"
        )
    return WORDS[word](rest.strip())
