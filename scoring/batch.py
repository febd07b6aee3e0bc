"""What a service asks of a model, whatever kind it is, and the answers to requests that were scored in one call."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from scoring.manifest import Label, Manifest
from scoring.notes import Notes
from scoring.payload import PayloadError
from scoring.side_thread import Work


@dataclass(slots=True)
class Batch:
    """Requests that were scored in one call, in their order; times are of the whole call.

    `counts` are the rows of each request (0: it was refused), `classes` and `scores` those of all rows, one
    after the other, with `width` scores a row. Kept as columns because an object for each request costs more than
    scoring it. `unknown` categories and numbers `outside` their range are counted by the place of their field, the
    second among the rows `looked_at`; so many rows hold any. A model without labels answers with `values`, one a row.
    """

    width: int
    counts: list[int] = field(default_factory=list)
    classes: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    refused: dict[int, PayloadError] = field(default_factory=dict)
    probabilities: set[int] = field(default_factory=set)
    notes: dict[int, Notes] = field(default_factory=dict)
    unknown: dict[int, int] = field(default_factory=dict)
    outside: dict[int, int] = field(default_factory=dict)
    looked_at: int = 0
    unknown_rows: int = 0
    outside_rows: int = 0
    preparation_ms: float = 0.0
    inference_ms: float = 0.0
    values: list[Any] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Rows that were scored."""
        return sum(self.counts)


def nothing(_why: str = "") -> None:
    """Nobody waits to be told."""


class Model(Protocol):
    """Reads, prepares and predicts. One thread at a time."""

    about: Manifest
    waits: bool
    """Whether it waits for another process, and is asked beside the loop."""

    @property
    def labels(self) -> Sequence[Label]:
        """What the classes are called, in their order; none where answers are values of any kind."""
        ...

    def predict(self, requests: Sequence[tuple[bytes, str]]) -> Batch:
        """Score requests together, each a body and a query string. One that is refused does not touch the others."""
        ...

    def in_slices(self, request: tuple[bytes, str]) -> Generator[Work | None, Any, Batch]:
        """Score one request as `predict` does, in steps; the batch holds it alone. A step may ask for work to be done
        beside the loop, and goes on with what came of it."""
        ...

    def warm_up(self, lost: Callable[[str], None] = nothing) -> None:
        """Get ready, so that the first request is as quick as the next. Never before a fork.

        `lost` is called where it turns out that the model can answer nothing any more, with why.
        """
        ...

    def answer(self, batch: Batch, place: int) -> dict[str, Any]:
        """One request's predictions, with what else was asked for."""
        ...

    def close(self) -> None:
        """End what it has started."""
        ...


def label_text(label: Label) -> str:
    """A label as a key or in a header: as JSON writes it, without quotes."""
    return str(label).lower() if isinstance(label, bool) else str(label)
