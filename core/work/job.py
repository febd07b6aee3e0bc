"""What is asked of the work child, what it says, and how both look on the wire: one JSON object a line."""

import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from core.config.settings import Settings
from core.domain import errors
from core.domain.errors import Failed, QuarterdeckError
from core.system.text import clean, clean_line


@dataclass(frozen=True, slots=True)
class Job:
    """One step of one release. Each leaves `<step>.json` and its files in `folder`, where later ones read them."""

    step: str
    folder: Path
    settings: Settings
    release: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    def dump(self) -> str:
        """As one line."""
        return json.dumps(
            {
                "step": self.step,
                "folder": str(self.folder),
                "settings": self.settings.dump(),
                "release": self.release,
                "options": dict(self.options),
            }
        )

    @classmethod
    def from_dump(cls, text: str) -> "Job":
        """Back from `dump`."""
        read = json.loads(text)
        return cls(
            read["step"],
            Path(read["folder"]),
            Settings.from_dump(read["settings"]),
            read["release"],
            read["options"],
        )


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a step is, from 0 to 1 where that is known, and what it measured so far.

    `again`: said by the clock because the step itself said nothing.
    """

    fraction: float | None
    text: str
    figures: Mapping[str, float | str] = field(default_factory=dict)
    again: bool = False


@dataclass(frozen=True, slots=True)
class OutputLine:
    """A line for the log."""

    text: str


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a step; `figure` is the one number that stands for it: `20k rows`, `f1 .857`, `v7`.

    `left` grows with the table: it stays in the step's folder for the steps after it and is never said or journaled.
    """

    result: Mapping[str, Any]
    figure: str
    left: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Broken:
    """Why a step ended without a result; `kind` is the class of the error."""

    kind: str
    text: str

    def error(self) -> QuarterdeckError:
        """What the engine raises."""
        known = getattr(errors, self.kind, Failed)
        return known(self.text) if issubclass(known, QuarterdeckError) else Failed(self.text)


Said: TypeAlias = Progress | OutputLine | Done | Broken
_KINDS: Mapping[str, type[Said]] = {"progress": Progress, "line": OutputLine, "done": Done, "broken": Broken}


def encode(said: Said) -> str:
    """What the child says, as one line."""
    name = next(name for name, kind in _KINDS.items() if kind is type(said))
    told = (key for key in said.__slots__ if key != "left")
    return json.dumps({"say": name, **{key: getattr(said, key) for key in told}}, default=_plain)


def decode(text: str) -> Said:
    """Back from `encode`. What is said is cleaned here; a result keeps its names and labels as the data has them."""
    read = json.loads(text)
    said = _KINDS[read.pop("say")](**read)
    match said:
        case OutputLine(text=line):
            return OutputLine(clean_line(line))
        case Progress(fraction=fraction, text=line, figures=figures, again=again):
            shown = {name: clean_line(each) if isinstance(each, str) else each for name, each in figures.items()}
            return Progress(fraction, clean_line(line), shown, again)
        case Done(result=result, figure=figure):
            return Done(result, clean_line(figure))
    return said


MARK = "quarterdeck: "
"""Behind it, on a line of a log that is not ours alone, stands something said."""


def heard(line: str) -> Said:
    """What a line of such a log is: something said, or a line for ours."""
    if line.startswith(MARK):
        with contextlib.suppress(ValueError, KeyError, TypeError):
            return decode(line.removeprefix(MARK))
    return OutputLine(clean_line(line))


def _plain(value: object) -> object:
    """Numbers of numpy as Python's own, paths as text."""
    item = getattr(value, "item", None)
    return item() if callable(item) else str(value)


class Report:
    """How a step speaks. Called with a text, it is a line for the log."""

    def __init__(self, tell: Callable[[Said], None]) -> None:
        self._tell = tell

    def __call__(self, text: str) -> None:
        self._tell(OutputLine(text))

    def progress(self, fraction: float | None, text: str, **figures: float | str) -> None:
        """How far the step is, and what it measured."""
        self._tell(Progress(fraction, text, figures))


def keep(folder: Path, step: str, done: Done) -> None:
    """Leave a step's result for the steps after it, whole or not at all."""
    path = folder / f"{step}.json"
    beside = path.with_suffix(".json.new")
    whole = {**done.result, **done.left}
    beside.write_text(json.dumps({"result": whole, "figure": done.figure}, default=_plain, indent=1))
    beside.replace(path)


def kept(folder: Path, step: str) -> Mapping[str, Any] | None:
    """All that a step came to and left; None where it has not run."""
    path = folder / f"{step}.json"
    if not path.is_file():
        return None
    result: Mapping[str, Any] = json.loads(path.read_text())["result"]
    return result


def needed(folder: Path, step: str, by: str) -> Mapping[str, Any]:
    """What a step left, for a step that can't go on without it."""
    result = kept(folder, step)
    if result is None:
        raise Failed(f"{by}: {folder} holds no result of the step {step}; run {step} first")
    return result


def one_line(said: object) -> str:
    """A text of any length as its first line that says something, cleaned."""
    text = str(said)
    with contextlib.suppress(ValueError, KeyError, TypeError):  # XGBoost and MLflow sometimes answer in JSON
        text = str(json.loads(text)["message"])
    lines = [shown for line in clean(text).splitlines() if (shown := clean_line(line))]
    return lines[0] if lines else type(said).__name__
