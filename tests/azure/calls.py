"""A call as the rooms of the stand-in see it, and their answer."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]

NULL = "null"
"""The four bytes that a deletion answers."""


@dataclass(slots=True)
class RestCall:
    """One request whose caller is known. `parts` is the path below the workspace, or below what a room answers for."""

    method: str
    path: str
    parts: list[str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    raw: bytes
    caller: str = ""

    @property
    def body(self) -> Json:
        """What it carries; empty where that is nothing."""
        found = json.loads(self.raw) if self.raw.strip() else {}
        return found if isinstance(found, dict) else {}

    @property
    def version(self) -> str:
        """Which version of the API it speaks."""
        return self.query.get("api-version", "")


@dataclass(slots=True)
class RestAnswer:
    """A status, a body (JSON, text, bytes, or None for nothing) and headers."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    def content(self) -> tuple[bytes, str]:
        """The bytes and their kind."""
        if self.body is None:
            return b"", ""
        if isinstance(self.body, bytes):
            return self.body, self.headers.get("content-type", "application/octet-stream")
        if isinstance(self.body, str):
            json_null = self.body == NULL
            return self.body.encode(), "application/json; charset=utf-8" if json_null else "text/plain"
        return json.dumps(self.body).encode(), "application/json; charset=utf-8"


@dataclass(frozen=True, slots=True)
class SeenCall:
    """A call that was answered; moments in seconds since 1970."""

    method: str
    path: str
    query: str
    body: Any
    status: int
    came_at: float
    answered_at: float
