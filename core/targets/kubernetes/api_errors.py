"""What an API server said no with, as one clear line. Pure. No object and no secret gets into it."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from core.domain.errors import BadInput, QuarterdeckError, Refused, Unreachable

Json: TypeAlias = dict[str, Any]
"""An object of the API, as its JSON."""

LONGEST = 240
_FORBIDDEN = re.compile(r'User "([^"]*)" cannot (\S+) resource "([^"]*)" in API group "([^"]*)"(.*)')
_MANAGER = re.compile(r'conflict with "([^"]+)"')
_VALUE = re.compile(r"Invalid value: .*?(?:: (?=[^:]*$)|$)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """What was asked of whom: the words that every line about it begins with."""

    context: str
    method: str
    path: str

    @property
    def what(self) -> str:
        """The last parts of the path, as people name objects: `deployments/late-blue`."""
        parts = self.path.partition("?")[0].strip("/").split("/")
        if "namespaces" in parts[:-2]:
            return "/".join(parts[parts.index("namespaces") + 2 :])
        return "/".join(parts[-2:])

    def __str__(self) -> str:
        return f"kubernetes {self.context}: {self.method} {self.what}"


class ApiMissing(Refused):
    """404: there is no such object, or no such API."""


class ApiConflict(Refused):
    """409: somebody else changed it, owns a field of it, or it is there already. `held`: fields by who has them."""

    def __init__(self, text: str, held: Mapping[str, list[str]] | None = None) -> None:
        super().__init__(text)
        self.held = held or {}


class ApiExpired(Unreachable):
    """410: the version that was asked from is forgotten; list again."""


class ApiBusy(Unreachable):
    """429: too many requests; ask again after `retry_after_s`."""

    def __init__(self, text: str, retry_after_s: float) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


def refusal(asked: ApiRequest, status: int, body: Json, headers: Mapping[str, str]) -> QuarterdeckError:
    """The error that an answer is; `body` is its Status, or empty where it had none."""
    details: Json = body.get("details") or {}
    causes: list[Json] = details.get("causes") or []
    said = clipped(str(body.get("message") or ""))
    match status:
        case 401:
            # The same words whatever was asked: who asks again and again says it once.
            who = f"kubernetes {asked.context}"
            return Unreachable(f"{who}: not logged in, or the login has run out; {login(asked.context)}")
        case 403:
            return Refused(f"{asked}: {_forbidden(str(body.get('message') or ''), causes)}")
        case 404 if details.get("kind") == "namespaces" and details.get("name"):
            where = str(details["name"])
            why = f"there is no namespace {where}; {make_namespace(asked.context, where)}"
            return ApiMissing(f"kubernetes {asked.context}: {why}")
        case 404:
            return ApiMissing(f"{asked}: there is none{_of_no_api(body)}")
        case 409:
            held = _held(causes)
            return ApiConflict(f"{asked}: {_conflict(said, held)}", held)
        case 410:
            return ApiExpired(f"{asked}: that version is forgotten")
        case 400 | 415 | 422:
            return BadInput(f"{asked}: {_invalid(said, causes)}")
        case 429:
            wait_s = retry_after(headers, details)
            return ApiBusy(f"{asked}: too many requests; asked again after {wait_s:g} s", wait_s)
        case _:
            return Unreachable(f"{asked}: the API server answers {status}{': ' + said if said else ''}")


def kubectl(context: str) -> str:
    """How a call of kubectl to a cluster begins, for a shell: contexts may have any name."""
    return f"kubectl --context {shlex.quote(context)}"


def login(context: str) -> str:
    """What to type where a login is missing."""
    return f"log in as you do for kubectl, and see that '{kubectl(context)} get ns' works"


def make_namespace(context: str, name: str) -> str:
    """What makes a namespace that is missing."""
    return f"'{kubectl(context)} create namespace {name}' makes it, or kubernetes.create_namespace: true"


def retry_after(headers: Mapping[str, str], details: Mapping[str, Any]) -> float:
    """So many seconds are to be waited, 1 to 30 whatever was said."""
    told = headers.get("retry-after") or details.get("retryAfterSeconds") or 1
    try:
        return min(30.0, max(1.0, float(told)))
    except (TypeError, ValueError):
        return 1.0


def clipped(text: str) -> str:
    """A message without the objects that some servers put into it."""
    line = " ".join(text.split())
    cut = line.find("{")
    line = line if cut < 0 else f"{line[:cut].rstrip()} …"
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}…"


def _forbidden(message: str, causes: list[Json]) -> str:
    if any(one.get("reason") == "NamespaceTerminating" for one in causes):
        return "its namespace is being deleted; wait until it is gone, or name another one"
    if match := _FORBIDDEN.search(message):
        user, verb, resource, group, where = match.groups()
        of = f"{resource}.{group}" if group else resource
        place = where.replace('"', "").strip().rstrip(".")
        return f"{user} may not {verb} {of} {place}; a role needs the verb {verb!r} on {of!r}"
    if "exceeded quota" in message:
        return f"the namespace's quota is used up: {clipped(message[message.index('exceeded quota') :])}"
    return f"forbidden: {clipped(message)}"


def _of_no_api(body: Json) -> str:
    """A path that no API has is answered in plain text, without a Status."""
    return "" if body.get("details") else "; the cluster may not have this API"


def _held(causes: list[Json]) -> dict[str, list[str]]:
    """The fields that others hold, by who does."""
    held: dict[str, list[str]] = {}
    for one in causes:
        if match := _MANAGER.search(str(one.get("message") or "")):
            held.setdefault(match[1], []).append(str(one.get("field") or "").lstrip("."))
    return held


def _conflict(said: str, held: Mapping[str, list[str]]) -> str:
    if held:
        whose = "; ".join(f"{manager} holds {', '.join(sorted(fields)[:4])}" for manager, fields in held.items())
        return f"{whose}; it was left as it is: let {', '.join(held)} leave these fields to Quarterdeck"
    if "already exists" in said:
        return "it exists already"
    return "it was changed in the meantime"


def _invalid(said: str, causes: list[Json]) -> str:
    """Each field with what is wrong, and without the value that was sent."""
    fields = [
        f"{str(one['field']).lstrip('.')}: {clipped(_VALUE.sub('', str(one.get('message') or '')) or 'invalid value')}"
        for one in causes
        if one.get("field")
    ]
    return "; ".join(fields[:4]) if fields else said or "the request was not understood"
