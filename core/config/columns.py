"""What a project says of one column of its table, where the reader's own finding does not do."""

from typing import Annotated, Literal, TypeAlias

from pydantic import BeforeValidator

from core.config.quantities import Names, SettingsPart


class ColumnSettings(SettingsPart):
    """How a column is read: its type, its decimal sign, whether 1/2/2024 is in February, and more words for missing."""

    type: Literal["text", "number", "boolean", "date"] | None = None
    decimal: Literal[".", ","] | None = None
    day_first: bool | None = None
    missing: Names = ()


def _typed(value: object) -> object:
    """`zip: text` as `zip: {type: text}`."""
    return {"type": value} if isinstance(value, str) else value


Column: TypeAlias = Annotated[ColumnSettings, BeforeValidator(_typed)]
