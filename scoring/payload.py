"""From the body of a request to rows in the order of the model's fields, in every form that people send.

Positional `{"data": [[…]]}`, columns `{"inputs": {"a": [..]}}`, a bare record or a list of them, and MLflow's
`instances`, `dataframe_split` and `dataframe_records`. What values are worth is not looked at here.
"""

from collections.abc import Callable, Container, Iterable, Sequence
from difflib import get_close_matches
from itertools import islice
from operator import itemgetter
from typing import Any, TypeAlias
from urllib.parse import parse_qs

import orjson

from scoring.cells import FALSE, TRUE

Row: TypeAlias = list[Any]
Query: TypeAlias = tuple[list[Row], int]
"""Rows in the order of the fields, their values as they came, and what is wanted beside predictions: 0, or some of"""

PROBABILITIES, NOTES = 1, 2
WISHES = {"probabilities": PROBABILITIES, "notes": NOTES}

LOOKED_AT, LONGEST_NAME = 50, 100
MOST_ROWS = 100_000
"""More in one request would take more memory than a service has; each row costs some hundred bytes here."""
WRAPS = 4
"""So many lists and objects stand around the rows of a form at the most; `dataframe_split` has them."""
WRAPPED = ("data", "inputs", "instances", "dataframe_split", "dataframe_records")
YES, NO = TRUE | {"1"}, FALSE | {"0"}
FORMS = (
    'send {"data": [[…]]}, {"inputs": {"field": […]}}, a record {"field": value, …}, '
    '{"dataframe_split": {"columns": […], "data": [[…]]}} or {"dataframe_records": [{…}]}'
)


class PayloadError(Exception):
    """The sender must change the request: `status` is 422 where it does not fit the model, and 400, 413 or 415
    where it can't be read at all.

    Only the second can be a new version's doing: whoever judges versions compares how often it is said.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Reader:
    """Reads bodies for one model, whose fields it knows by name; those in `optional` may be left out."""

    def __init__(self, names: Sequence[str], optional: Sequence[str] = ()) -> None:
        self.names = tuple(names)
        self._optional = frozenset(optional)
        self._width = len(names)
        self._known = frozenset(names)
        get = itemgetter(*names)
        self._pick: Callable[[Any], Row] = lambda record: list(get(record))
        if len(names) == 1:
            self._pick = lambda record: [get(record)]

    def read(self, body: bytes, query_string: str = "") -> Query:
        """The rows of a body; `PayloadError` names the row and the field that do not fit."""
        bounded(body)
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise PayloadError(400, _why_not_json(body, error)) from None
        rows, wishes = self._query(document)
        if not rows:
            raise PayloadError(422, "there are no rows: send at least one")
        not_too_many(len(rows))
        return rows, wishes | wished(query_string) if query_string else wishes

    def _query(self, document: object) -> Query:
        if isinstance(document, list):
            return self._rows(document, "the list"), 0
        if not isinstance(document, dict):
            raise PayloadError(422, f"the body is {kind(document)}: {FORMS}")
        for form in WRAPPED:
            # A field may bear such a name: its value is never a list or an object.
            if form in document and isinstance(document[form], list | dict):
                if len(document) > 1:
                    return self._beside(form, document), _asked(document)
                return self._wrapped(form, document[form]), 0
        if not self._known.isdisjoint(document):
            return [self._record(document, 0)], 0
        if wrapped := next((form for form in WRAPPED if form in document), None):
            raise PayloadError(422, f"{wrapped} is {kind(document[wrapped])}: {FORMS}")
        raise PayloadError(422, f"the object has none of the model's fields{self._near_any(document)}: {FORMS}")

    def _beside(self, form: str, document: dict[str, Any]) -> list[Row]:
        """Rows of a body that says more than them: their columns' names, or rows again in another form."""
        value, columns = document[form], document.get("columns")
        others = [one for one in WRAPPED if one != form and isinstance(document.get(one), list | dict)]
        if others:
            raise PayloadError(422, f"the body has rows both in {form} and in {others[0]}: {FORMS}")
        if isinstance(value, list) and isinstance(columns, list):
            return self._split({"columns": columns, "data": value}, form)
        return self._wrapped(form, value)

    def _wrapped(self, form: str, value: Any) -> list[Row]:
        if form == "dataframe_split":
            return self._split(value)
        if isinstance(value, list):
            return self._rows(value, form)
        return self._columns(value) if form in ("inputs", "instances") else [self._record(value, 0)]

    def _rows(self, rows: list[Any], where: str) -> list[Row]:
        for index, row in enumerate(rows):
            if isinstance(row, list):
                if len(row) != self._width:
                    raise PayloadError(422, self._length(index, row))
            elif isinstance(row, dict):
                rows[index] = self._record(row, index)
            else:
                text = f"row {index} of {where} is {kind(row)}: send a list of values or a record for each row"
                raise PayloadError(422, text)
        return rows

    def _length(self, index: int, row: Row) -> str:
        text = f"row {index} has {len(row)} values, the model has {len(self.names)} fields"
        if len(row) < len(self.names):
            return f"{text}: the first one missing is {self.names[len(row)]}"
        return f"{text}: the last one is {self.names[-1]}"

    def _record(self, record: dict[str, Any], index: int) -> Row:
        try:
            return self._pick(record)
        except KeyError:
            missing = self._absent(record)
            if missing is None:
                return [record.get(name) for name in self.names]
            raise PayloadError(422, f"row {index}: {self._missing(missing, record)}") from None

    def _absent(self, sent: Container[str]) -> str | None:
        """The first field that must be sent and is not."""
        return next((name for name in self.names if name not in sent and name not in self._optional), None)

    def _missing(self, name: str, sent: Sequence[str] | dict[str, Any]) -> str:
        others = [each for each in _short(sent) if each not in self._known]
        near = get_close_matches(name, others, n=1)
        hint = f"the nearest sent is {near[0]}" if near else "send null where it is unknown"
        return f"the field {name} is missing ({hint})"

    def _near_any(self, record: dict[str, Any]) -> str:
        for sent in _short(record):
            if near := get_close_matches(sent, self.names, n=1):
                return f" ({sent} is near {near[0]})"
        return ""

    def _columns(self, columns: dict[str, Any]) -> list[Row]:
        if missing := self._absent(columns):
            raise PayloadError(422, self._missing(missing, columns))
        sent = {name: columns[name] for name in self.names if name in columns}
        whole = {name: value if isinstance(value, list) else [value] for name, value in sent.items()}
        first = next(iter(whole), self.names[0])
        rows = len(whole.get(first, ()))
        not_too_many(rows)
        taken = [whole.get(name, [None] * rows) for name in self.names]
        for name, column in zip(self.names, taken, strict=True):
            if len(column) != rows:
                text = f"the field {name} has {len(column)} values, {first} has {rows}: send as many for each"
                raise PayloadError(422, text)
        return [list(row) for row in zip(*taken, strict=True)]

    def _split(self, value: Any, where: str = "dataframe_split") -> list[Row]:
        """Rows whose values stand in the order of the columns that are named beside them."""
        if not isinstance(value, dict) or not isinstance(value.get("data"), list):
            raise PayloadError(422, 'dataframe_split has no list "data": send {"columns": […], "data": [[…]]}')
        columns, rows = value.get("columns"), value["data"]
        if not isinstance(columns, list):
            raise PayloadError(422, 'dataframe_split has no list "columns": name the columns of its data')
        # What is no text names no field.
        at = {name: place for place, name in enumerate(columns) if isinstance(name, str)}
        if missing := self._absent(at):
            raise PayloadError(422, f"{where}: {self._missing(missing, columns)}")
        for place, name in enumerate(columns):
            if isinstance(name, str) and at[name] != place and name in self._known:
                raise PayloadError(422, f"{where}: the column {name} is there twice")
        places = [at.get(name) for name in self.names]
        for index, row in enumerate(rows):
            if not isinstance(row, list):
                raise PayloadError(422, f"row {index} of {where} is {kind(row)}: send a list of values")
            if len(row) != len(columns):
                raise PayloadError(422, f"row {index} has {len(row)} values for {len(columns)} columns")
        return [[None if place is None else row[place] for place in places] for row in rows]


def _short(names: Iterable[Any]) -> list[str]:
    """The first names that a person may have mistyped: comparing all that somebody sends would hold everybody up."""
    return [name for name in islice(names, LOOKED_AT) if isinstance(name, str) and len(name) <= LONGEST_NAME]


def bounded(body: bytes) -> None:
    """Refuse JSON of more rows than are taken before memory is spent on it: a row is a list or an object."""
    # A short body can't hold so many.
    if len(body) > MOST_ROWS:
        not_too_many(body.count(b"[") + body.count(b"{") - WRAPS)


def not_too_many(rows: int) -> None:
    """`PayloadError` 413 where a request has more rows than are taken."""
    if rows > MOST_ROWS:
        raise PayloadError(413, f"the request has more than {MOST_ROWS:,} rows: send fewer rows at a time")


def _asked(document: dict[str, Any]) -> int:
    """What a body wants beside predictions."""
    if len(document) == 1:
        return 0
    wishes = PROBABILITIES if document.get("probabilities") is True else 0
    return wishes | NOTES if document.get("notes") is True else wishes


def wished(query_string: str) -> int:
    """What `?probabilities=1&notes=1` (or true, yes, on) wants; `PayloadError` for what is neither yes nor no."""
    if "probabilities" not in query_string and "notes" not in query_string:
        return 0
    try:
        # A name alone, or as often as somebody likes to send it, is no reason to read on.
        asked = parse_qs(query_string, keep_blank_values=True, max_num_fields=LOOKED_AT)
    except ValueError:
        raise PayloadError(400, f"the query has more than {LOOKED_AT} fields") from None
    wishes = 0
    for name, wish in WISHES.items():
        said = asked.get(name, ["no"])[-1]
        word = said.lower()
        if word not in YES and word not in NO:
            raise PayloadError(400, f"{name}={said[:LONGEST_NAME]} is neither: send true or false")
        wishes |= wish if word in YES else 0
    return wishes


def _why_not_json(body: bytes, error: orjson.JSONDecodeError) -> str:
    if not body.strip():
        return f"the body is empty: {FORMS}"
    try:
        at = body.decode()[error.pos :].lstrip()
    except UnicodeDecodeError:
        return "the body is not JSON: it is not UTF-8"
    # Where parsers stop varies by a sign, so both are looked for.
    if at.lstrip("-").startswith(("NaN", "nan", "Infinity", "inf")):
        return f"{at.split(',')[0].split(']')[0].split('}')[0].strip()} is not JSON: send null for a missing value"
    return f"the body is not JSON: {error}"


def kind(value: object) -> str:
    """What a value of JSON is, in words."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case _:
            return "an object"
