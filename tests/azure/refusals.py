"""How the service says no: the resource manager's own envelope, and the service's.

Recorded: the service's envelope with its details and InnerError (datastore, model, job, deployment-2025). Never
recorded: every 401, 403, 409 and 429; their words follow Azure's general form and what people reported.
"""

import secrets
from dataclasses import dataclass, field

from tests.azure.calls import Json, RestAnswer
from tests.azure.stamps import stamp

LOCATION = "westeurope"


@dataclass(slots=True)
class RestRefusal(Exception):
    """An answer instead of what was asked for. `service`: in the service's envelope, else in the resource manager's."""

    status: int
    code: str
    message: str
    service: bool = False
    details: tuple[tuple[str, str], ...] = ()
    inner: tuple[str, ...] = ()
    parameters: Json = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def answer(self) -> RestAnswer:
        """As it goes over the wire."""
        error: Json = {"code": self.code, "message": self.message}
        headers = dict(self.headers)
        if self.service:
            headers["x-ms-response-type"] = "error"
            plain: Json = {"details": [], "additionalInfo": []}
            error["details"] = [{"code": code, "message": said, **plain} for code, said in self.details]
            error["additionalInfo"] = _information(self)
        return RestAnswer(self.status, {"error": error}, headers)


def _information(refusal: RestRefusal) -> list[Json]:
    correlation = {"operation": secrets.token_hex(16), "request": secrets.token_hex(8)}
    known: Json = {
        "ComponentName": "managementfrontend",
        "Correlation": correlation,
        "Environment": LOCATION,
        "Location": LOCATION,
        "Time": stamp(),
    }
    if refusal.inner:
        nested: Json | None = None
        for code in reversed(refusal.inner):
            nested = {"code": code, "innerError": nested}
        known["InnerError"] = nested
    if refusal.parameters:
        known["MessageParameters"] = refusal.parameters
    return [{"type": name, "info": {"value": value}} for name, value in known.items()]


def user_error(status: int, message: str, *details: tuple[str, str], inner: tuple[str, ...] = ()) -> RestRefusal:
    """The service's usual one."""
    return RestRefusal(status, "UserError", message, service=True, details=details, inner=inner)


def not_here(path: str) -> RestRefusal:
    """The resource manager knows no such thing."""
    said = f"The Resource '{path}' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix"
    return RestRefusal(404, "ResourceNotFound", said)


def unauthorized(message: str = "Authentication failed.") -> RestRefusal:
    """No token, or one that is none."""
    challenge = 'Bearer authorization_uri="https://login.microsoftonline.com/", error="invalid_token"'
    return RestRefusal(401, "AuthenticationFailed", message, headers={"www-authenticate": challenge})


def forbidden(client: str, action: str, scope: str) -> RestRefusal:
    """A role is missing."""
    who = f"The client '{client}' with object id '{client}' does not have authorization to perform action"
    rest = "or the scope is invalid. If access was recently granted, please refresh your credentials."
    return RestRefusal(403, "AuthorizationFailed", f"{who} '{action}' over scope '{scope}' {rest}")


def too_many(seconds: float) -> RestRefusal:
    """More calls than the resource manager takes."""
    said = f"Number of requests for subscription exceeded the limit. Please try again after '{seconds:g}' seconds."
    return RestRefusal(429, "SubscriptionRequestsThrottled", said, headers={"retry-after": f"{max(1, round(seconds))}"})


def busy(what: str, state: str) -> RestRefusal:
    """Another change goes on. People reported 400 or 409, illegibly; the article has 409."""
    said = f"{what} because it is in {state} provisioning state."
    return RestRefusal(409, "Conflict", said, service=True)


def invalid(code: str, errors: str) -> RestRefusal:
    """What the service behind the service refused; `errors` is JSON inside a text."""
    said = f"InferencingClient HttpRequest error, error detail: {errors}"
    return RestRefusal(400, "BadRequest", "The request is invalid.", service=True, details=((code, said),))
