"""What Azure said no with, as one clear line and the next step. Pure. No token and no signed address gets into it.

Two envelopes: of the resource manager, and of the service with `details` and `additionalInfo`.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from core.domain.errors import BadInput, Failed, QuarterdeckError, Refused, Unreachable

Json: TypeAlias = dict[str, Any]
"""A body of the service."""

LONGEST = 240
ROLE = "AzureML Data Scientist"
_SIGNED = re.compile(r"\?\S*(?:sig|[&?]s|[&?]c)=\S*", re.IGNORECASE)
_ACTION = re.compile(r"perform action '([^']+)' over scope '([^']+)'")
_WHO = re.compile(r"The client '([^']+)'")
_QUOTA = re.compile(
    r"Not enough quota available for (\S+) in SubscriptionId \S+?\. "
    r"Current usage/limit: (\d+)/(\d+)\. Additional needed: (\d+)"
)
_STATE = re.compile(r"it is in (\w+) provisioning state")


@dataclass(frozen=True, slots=True)
class AzureRequest:
    """What was asked of which workspace: the words that every line about it begins with."""

    workspace: str
    method: str
    what: str

    def __str__(self) -> str:
        return f"azureml {self.workspace}: {self.method} {self.what}"


class AzureMissing(Refused):
    """404: there is none such, or not everywhere yet."""


class WorkspaceMissing(BadInput):
    """Azure answers that there is no such workspace: it is another one, or was deleted with all that stood in it."""


class AzureBusy(Unreachable):
    """Another change of the same thing goes on; ask again when it has ended."""


class AzureThrottled(Unreachable):
    """429: too many calls; ask again after `retry_after_s`."""

    def __init__(self, text: str, retry_after_s: float) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


class NotSent(Unreachable):
    """Nothing was asked for: nobody was there, or nobody was let in. It has surely not happened."""


class LoginRefused(NotSent):
    """There is no login, or it has run out: nobody is let in before somebody logs in again."""


class AssetTaken(Refused):
    """The version exists with other files."""


def refusal(asked: AzureRequest, status: int, body: Json, headers: Mapping[str, str]) -> QuarterdeckError:
    """The error that an answer is; `body` is its JSON, or empty where it had none."""
    error = body.get("error") if isinstance(body.get("error"), dict) else {}
    said = list(_said(error or {}))
    text = " ".join(said)
    if status == 429:
        wait_s = retry_after(headers)
        return AzureThrottled(f"{asked}: too many calls for this login; asked again after {wait_s:g} s", wait_s)
    if status == 401:
        return LoginRefused(f"{asked}: not logged in, or the login has run out; {LOGIN}")
    for rule in _RULES:
        if rule.fits(text):
            return rule.error(f"{asked}: {rule.words(text)}")
    match status:
        case 403:
            return Refused(f"{asked}: {_forbidden(text)}")
        case 404 if asked.method == "PUT":
            why = clipped(_most_telling(said)) or "Azure does not say what"
            return AzureMissing(f"{asked}: something that it needs is not there: {why}{_made_lately(text)}")
        case 404:
            return AzureMissing(f"{asked}: there is none; check the name{_made_lately(text)}")
        case 409:
            return AzureBusy(f"{asked}: another change of it goes on; asked again when that has ended")
        case 400 | 422:
            return BadInput(f"{asked}: {clipped(_most_telling(said)) or 'the request was not understood'}")
        case _:
            tail = f": {clipped(_most_telling(said))}" if said else ""
            return Unreachable(f"{asked}: Azure answers {status}{tail}; theirs, it is tried again")


LOGIN = "call 'az login', in a pipeline give it a new secret or a federated credential"


def retry_after(headers: Mapping[str, str]) -> float:
    """So many seconds are to be waited, 1 to 60 whatever was said."""
    try:
        return min(60.0, max(1.0, float(headers.get("retry-after") or 5)))
    except ValueError:
        return 5.0


def clipped(text: str, end: bool = False) -> str:
    """One line of a message, or its `end` where it is long; without the signatures of addresses."""
    line = " ".join(_SIGNED.sub("?…", text).split())
    if len(line) <= LONGEST:
        return line
    return f"…{line[-LONGEST:]}" if end else f"{line[:LONGEST]}…"


def _said(error: Json, depth: int = 0) -> Iterator[str]:
    """Codes and messages, the outer ones first, with what stands in `details` and under `InnerError`."""
    for key in ("code", "message"):
        if isinstance(value := error.get(key), str):
            yield value
            yield from _nested(value)
    if depth > 6:
        return
    for one in error.get("details") or ():
        if isinstance(one, dict):
            yield from _said(one, depth + 1)
    for key in ("innerError", "innererror"):
        if isinstance(inner := error.get(key), dict):
            yield from _said(inner, depth + 1)
    for one in error.get("additionalInfo") or ():
        value = (one.get("info") or {}).get("value") if isinstance(one, dict) else None
        if isinstance(value, dict) and one.get("type") == "InnerError":
            yield from _said(value, depth + 1)


def _nested(message: str) -> Iterator[str]:
    """Some messages end in JSON, whose `errors` say what is meant."""
    start = message.find("{")
    if start < 0:
        return
    try:
        found = json.loads(message[start:])
    except ValueError:
        return
    errors = found.get("errors") if isinstance(found, dict) else None
    for texts in errors.values() if isinstance(errors, dict) else ():
        yield from (str(one) for one in texts if isinstance(texts, list))


def _most_telling(said: list[str]) -> str:
    """The longest of the inner messages that is no JSON: outer ones only say that something was wrong."""
    plain = [one for one in said if "{" not in one and " " in one]
    return max(plain[1:] or plain, key=len, default=said[0] if said else "")


def _forbidden(text: str) -> str:
    action, who = _ACTION.search(text), _WHO.search(text)
    if action is None:
        return f"forbidden; the login needs the role '{ROLE}' on the workspace"
    name = f"{who[1]} " if who else "this login "
    scope = action[2].rpartition("/")[2]
    return f"{name}may not {action[1]} on {scope}; ask for the role '{ROLE}' there, then log in again"


def _made_lately(text: str) -> str:
    return "; one that was just made is known everywhere some minutes later" if "not found in endpoint" in text else ""


def quota_words(text: str) -> str:
    """What is lacking, of which family, and what to do."""
    if match := _QUOTA.search(text):
        family, used, limit, more = match.groups()
        free = max(0, int(limit) - int(used))
        return (
            f"out of quota: {family} needs {more} cores more, {free} of {limit} are free; take fewer or smaller "
            "instances (azureml.instance_type), delete what is unused, or ask Azure for more"
        )
    return f"out of quota: {clipped(text)}; take fewer or smaller instances, delete what is unused, or ask for more"


def _busy(text: str) -> str:
    found = _STATE.search(text)
    return f"another change goes on (it is {found[1] if found else 'not ready'}); asked again when that has ended"


@dataclass(frozen=True, slots=True)
class _Rule:
    """A refusal that is known by words in it."""

    marks: tuple[str, ...]
    error: type[QuarterdeckError]
    words: Callable[[str], str]

    def fits(self, text: str) -> bool:
        """Whether one of the marks stands in it."""
        return any(mark in text for mark in self.marks)


def always(words: str) -> Callable[[str], str]:
    """The same words whatever was said."""
    return lambda _: words


_RULES = (
    _Rule(("Not enough quota", "OutOfQuota"), Refused, quota_words),
    _Rule(
        ("name needs to be unique", "already an endpoint with this name"),
        Refused,
        always("somebody in this region has an endpoint of this name; write another one into azureml.name"),
    ),
    _Rule(
        ("provisioning state", "AnotherOperationInProgress"),
        AzureBusy,
        _busy,
    ),
    _Rule(
        ("InferencingClientCallFailed",),
        AzureBusy,
        always("its name was deleted a moment ago and is not free yet; wait some minutes, or set another azureml.name"),
    ),
    _Rule(
        ("Asset paths cannot be updated",),
        AssetTaken,
        always("this version is there with other files, which no version changes; release a new version"),
    ),
    _Rule(
        ("cannot be recreated",),
        AssetTaken,
        always("this version was deleted once, and its number is used up; release a new version"),
    ),
    _Rule(
        ("Workspace not found", "WorkspaceNotFound"),
        WorkspaceMissing,
        always(
            "there is no such workspace; check azureml.subscription, resource_group and workspace, or make it: "
            "'quarterdeck azure setup'"
        ),
    ),
    _Rule(
        ("ResourceGroupNotFound",),
        WorkspaceMissing,
        always("this login knows no such group; check azureml.subscription and resource_group"),
    ),
    _Rule(
        ("SubscriptionNotFound",),
        BadInput,
        always("this login knows no such subscription; check azureml.subscription, or log in as somebody else"),
    ),
    _Rule(
        ("MissingSubscriptionRegistration", "not registered to use namespace"),
        Refused,
        always(
            "the subscription never used this service; call "
            "'az provider register --namespace Microsoft.MachineLearningServices'"
        ),
    ),
    _Rule(
        ("InvalidVmSize", "VmSizeNotSupported", "instance type is not supported", "not available in location"),
        BadInput,
        always("the region has no instances of azureml.instance_type; name another size, or another workspace"),
    ),
    _Rule(("MissingApiVersionParameter",), Failed, always("the call named no api-version: a fault of Quarterdeck's")),
)
