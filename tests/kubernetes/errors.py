"""What the API server answers where it refuses: a Status in the words of the real one."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.kubernetes.kinds import ApiResource, Json


class ApiError(Exception):
    """A Status that says no. `metadata` and `retry_after_s` are there where the real one gives them."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        details: Json | None = None,
        *,
        metadata: Json | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code, self.reason, self.message, self.details = code, reason, message, details
        self.metadata, self.retry_after_s = metadata or {}, retry_after_s

    def body(self) -> Json:
        """As JSON."""
        said: Json = {"kind": "Status", "apiVersion": "v1", "metadata": self.metadata, "status": "Failure"}
        said["message"] = self.message
        if self.reason:
            said["reason"] = self.reason
        if self.details is not None:
            said["details"] = self.details
        return {**said, "code": self.code}


@dataclass(frozen=True, slots=True)
class Cause:
    """One field that is wrong, and how."""

    field: str
    message: str
    reason: str = "FieldValueInvalid"

    @classmethod
    def invalid(cls, field: str, value: Any, message: str) -> "Cause":
        """A value that may not be."""
        shown = json.dumps(value, sort_keys=True, separators=(",", ":"))
        return cls(field, f"Invalid value: {shown}: {message}")

    @classmethod
    def required(cls, field: str, message: str = "") -> "Cause":
        """A value that must be there."""
        return cls(field, f"Required value{': ' + message if message else ''}", "FieldValueRequired")

    @classmethod
    def duplicate(cls, field: str, value: Any) -> "Cause":
        """A value that another item has."""
        return cls(field, f"Duplicate value: {json.dumps(value)}", "FieldValueDuplicate")

    def as_json(self) -> Json:
        """As an entry of `details.causes`."""
        return {"reason": self.reason, "message": self.message, "field": self.field}


def not_found(of: ApiResource, name: str) -> ApiError:
    """404 for one object."""
    return ApiError(404, "NotFound", f'{of.qualified} "{name}" not found', of.details(name))


def no_such_path() -> ApiError:
    """404 for a resource that no API has."""
    return ApiError(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(of: ApiResource, name: str) -> ApiError:
    """409 for a second create."""
    return ApiError(409, "AlreadyExists", f'{of.qualified} "{name}" already exists', of.details(name))


def stale(of: ApiResource, name: str) -> ApiError:
    """409 for a write onto a version that has been left behind."""
    why = "the object has been modified; please apply your changes to the latest version and try again"
    message = f'Operation cannot be fulfilled on {of.qualified} "{name}": {why}'
    return ApiError(409, "Conflict", message, of.details(name))


def precondition(of: ApiResource, name: str, what: str, asked: str, held: str) -> ApiError:
    """409 for a delete that meant another object."""
    end = (
        "The object might have been deleted and then recreated"
        if what == "UID"
        else "The object might have been modified"
    )
    why = f"the {what} in the precondition ({asked}) does not match the {what} in record ({held}). {end}"
    message = f'Operation cannot be fulfilled on {of.kind} "{name}": {why}'
    return ApiError(409, "Conflict", message, of.details(name, of.kind))


def invalid(of: ApiResource, name: str, causes: Sequence[Cause]) -> ApiError:
    """422 with every field that is wrong."""
    said = [f"{cause.field}: {cause.message}" for cause in causes]
    listed = said[0] if len(said) == 1 else f"[{', '.join(said)}]"
    details = {**of.details(name, of.kind), "causes": [cause.as_json() for cause in causes]}
    return ApiError(422, "Invalid", f'{of.qualified_kind} "{name}" is invalid: {listed}', details)


def bad_request(message: str) -> ApiError:
    """400."""
    return ApiError(400, "BadRequest", message)


def forbidden(of: ApiResource, name: str, why: str, causes: Sequence[Json] = ()) -> ApiError:
    """403 by admission."""
    details = {**of.details(name), **({"causes": list(causes)} if causes else {})}
    return ApiError(403, "Forbidden", f'{of.qualified} "{name}" is forbidden: {why}', details)


def rejected_patch() -> ApiError:
    """422 for a JSON patch whose test failed or whose path is not there."""
    return ApiError(422, "Invalid", "the server rejected our request due to an error in our request", {})


def expired(message: str, metadata: Json | None = None) -> ApiError:
    """410."""
    return ApiError(410, "Expired", message, metadata=metadata)
