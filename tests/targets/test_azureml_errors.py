"""What a person reads of each way in which Azure says no: one line and the next step, and no secret."""

import json
from typing import Any

import pytest

from core.domain.errors import BadInput, Failed, QuarterdeckError, Refused, Unreachable
from core.targets.azureml.api_errors import (
    AssetTaken,
    AzureBusy,
    AzureMissing,
    AzureRequest,
    AzureThrottled,
    LoginRefused,
    WorkspaceMissing,
    refusal,
)
from core.targets.azureml.calls import what
from core.targets.azureml.failures import login_failure, operation_failure, scoring_refusal

ASKED = AzureRequest("ws", "PUT", "onlineEndpoints/late")
INFO = [
    {"type": "ComponentName", "info": {"value": "managementfrontend"}},
    {"type": "Correlation", "info": {"value": {"operation": "0" * 32, "request": "1" * 16}}},
]


def manager(code: str, message: str) -> dict[str, Any]:
    """As the resource manager says no."""
    return {"error": {"code": code, "message": message}}


def service(
    code: str, message: str, details: list[tuple[str, str]] | None = None, inner: dict[str, Any] | None = None
) -> dict[str, Any]:
    """As the workspace's own service says no."""
    more = [{"type": "InnerError", "info": {"value": inner}}] if inner else []
    told = [{"code": one, "message": text, "details": [], "additionalInfo": []} for one, text in details or ()]
    return {"error": {"code": code, "message": message, "details": told, "additionalInfo": [*INFO, *more]}}


def quota() -> dict[str, Any]:
    """A refusal whose numbers stand in JSON inside a message."""
    said = (
        "Not enough quota available for Standard_DS3_v2 in SubscriptionId 0-0. Current usage/limit: 4/6. "
        "Additional needed: 8 Please see troubleshooting guide, available here: https://aka.ms/x#error-outofquota"
    )
    nested = json.dumps({"errors": {"VmSize": [said]}, "title": "One or more validation errors", "status": 400})
    message = f"InferencingClient HttpRequest error, error detail: {nested}"
    return service("BadRequest", "The request is invalid.", [("InferencingClientCreateDeploymentFailed", message)])


def named_twice() -> dict[str, Any]:
    """A name that is somebody's."""
    said = "There is already an endpoint with this name, Endpoint name needs to be unique within a region."
    nested = json.dumps({"errors": {"": [said]}, "title": "x"})
    return service("BadRequest", "The request is invalid.", [("InferencingClientCallFailed", nested)])


def missing(name: str) -> dict[str, Any]:
    """A deployment that nobody knows."""
    return service("UserError", f"Deployment {name} not found in endpoint late, workspace ws")


FORBIDDEN = (
    "The client 'ann@example.com' with object id '1' does not have authorization to perform action "
    "'Microsoft.MachineLearningServices/workspaces/onlineEndpoints/write' over scope "
    "'/subscriptions/0/resourceGroups/rg/providers/M.S/workspaces/ws' or the scope is invalid."
)
BUSY = "Cannot create a deployment in endpoint late because it is in Updating provisioning state."
GONE = {"code": "NotFoundError", "innerError": {"code": "WorkspaceNotFound", "innerError": None}}


def test_what_was_looked_for_and_is_not_there_has_a_name_to_check() -> None:
    asked = AzureRequest("ws", "GET", what("/subscriptions/0000/resourceGroups/rg"))
    said = str(refusal(asked, 404, manager("ResourceNotFound", "x"), {}))
    assert said == "azureml ws: GET resourceGroups/rg: there is none; check the name"


@pytest.mark.parametrize(
    ("status", "body", "kind", "line"),
    [
        (401, manager("AuthenticationFailed", "no token"), LoginRefused, "the login has run out; call 'az login'"),
        (
            403,
            manager("AuthorizationFailed", FORBIDDEN),
            Refused,
            (
                "ann@example.com may not Microsoft.MachineLearningServices/workspaces/onlineEndpoints/write on ws; "
                "ask for the role 'AzureML Data Scientist' there, then log in again"
            ),
        ),
        (400, manager("MissingApiVersionParameter", "x"), Failed, "a fault of Quarterdeck's"),
        (
            404,
            service("UserError", "Workspace not found.", inner=GONE),
            WorkspaceMissing,
            "there is no such workspace; check",
        ),
        (404, manager("ResourceGroupNotFound", "x"), WorkspaceMissing, "this login knows no such group; check"),
        (404, manager("SubscriptionNotFound", "x"), BadInput, "this login knows no such subscription; check"),
        (404, manager("ResourceNotFound", "x"), AzureMissing, "something that it needs is not there: "),
        (404, missing("green"), AzureMissing, "one that was just made is known everywhere some minutes later"),
        (429, manager("TooManyRequests", "x"), AzureThrottled, "asked again after 7 s"),
        (
            409,
            manager("MissingSubscriptionRegistration", "The subscription is not registered to use namespace 'M'"),
            Refused,
            "call 'az provider register --namespace Microsoft.MachineLearningServices'",
        ),
        (
            404,
            service("NotFound", "x", [("InferencingClientCallFailed", '{{"title":"Not Found"}}')]),
            AzureBusy,
            "its name was deleted a moment ago and is not free yet; wait some minutes, or set another azureml.name",
        ),
        (400, service("UserError", "Asset paths cannot be updated."), AssetTaken, "release a new version"),
        (
            400,
            service("UserError", "Asset late:7 was deleted at 2026, it cannot be recreated."),
            AssetTaken,
            "its number is used up; release a new version",
        ),
        (
            400,
            quota(),
            Refused,
            "out of quota: Standard_DS3_v2 needs 8 cores more, 2 of 6 are free; take fewer or smaller instances",
        ),
        (400, named_twice(), Refused, "somebody in this region has an endpoint of this name; write another one"),
        (400, service("UserError", BUSY), AzureBusy, "another change goes on (it is Updating)"),
        (409, service("UserError", BUSY), AzureBusy, "another change goes on (it is Updating)"),
        (409, {}, AzureBusy, "another change of it goes on; asked again when that has ended"),
        (
            400,
            service("BadRequest", "x", [("InvalidVmSize", "The instance type is not supported in this region.")]),
            BadInput,
            "the region has no instances of azureml.instance_type",
        ),
        (
            400,
            service("UserError", "x", [("RequestInvalid", "Could not find member 'a' on object of type 'B'.")]),
            BadInput,
            "Could not find member 'a'",
        ),
        (500, {}, Unreachable, "Azure answers 500; theirs, it is tried again"),
    ],
)
def test_a_refusal_is_one_line_and_the_next_step(
    status: int, body: dict[str, Any], kind: type[QuarterdeckError], line: str
) -> None:
    error = refusal(ASKED, status, body, {"retry-after": "7"})
    assert type(error) is kind
    assert line in str(error)
    assert str(error).startswith("azureml ws: PUT onlineEndpoints/late: ")
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (
            (
                "ImageBuildFailure: The build log is available in the workspace blob store 'acc' under the path "
                "'/azureml/ImageLogs/1/build.log'"
            ),
            "the image could not be built; its log is in the blob store acc under /azureml/ImageLogs/1/build.log",
        ),
        ("OutOfQuota: Not enough memory", "out of quota: Not enough memory; take fewer or smaller instances"),
        ("OutOfCapacity: x", "the region has no such machine free now; try again later"),
        ("BadArgument: The model can't be fetched", "needs AcrPull and Storage Blob Data Reader"),
        (
            (
                "ResourceNotReady: User container has crashed or terminated: Liveness probe failed: HTTP probe failed "
                "with statuscode: 502."
            ),
            "the container crashed or never got ready (User container has crashed or terminated",
        ),
        ("ResourceNotFound: registry", "a storage account or registry was not found"),
        ("OperationCanceled: x", "a later change took its place"),
        ("SecretsInjectionError: x", "the endpoint's identity may not read the secrets"),
        ("InternalServerError: x", "Azure's own error: x; try again, then ask its support"),
        ("Something else: y", "Something else: y"),
        ("", "the operation failed without a word"),
    ],
)
def test_an_operation_that_failed_is_explained(message: str, line: str) -> None:
    body = {"status": "Failed", "error": {"code": None, "message": message}}
    error = operation_failure("green", body, "ModuleNotFoundError: No module named 'x'")
    assert line in str(error)
    assert str(error).endswith("it wrote last: ModuleNotFoundError: No module named 'x'")


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (401, "the endpoint's key or token is wrong or old"),
        (404, "no deployment has traffic"),
        (408, "raise azureml.request_timeout_s"),
        (424, "the model answered 503 (out of memory); see its log"),
        (429, "more at once than the instances take"),
        (502, "the container does not answer"),
        (503, "the container does not answer"),
        (504, "the container does not answer"),
        (500, "500: theirs"),
    ],
)
def test_what_an_endpoint_answers_is_explained(status: int, line: str) -> None:
    headers = {"ms-azureml-model-error-statuscode": "503", "ms-azureml-model-error-reason": "out of memory"}
    assert line in scoring_refusal(status, headers, "theirs")


@pytest.mark.parametrize("code", ["AADSTS700082", "AADSTS70043", "AADSTS50173"])
def test_a_login_that_ran_out_says_what_to_type(code: str) -> None:
    error = login_failure("ws", f"DefaultAzureCredential failed\n{code}: The refresh token has expired, secret=abc")
    assert str(error).startswith(f"azureml ws: the login has run out ({code}); call 'az login'")
    assert "abc" not in str(error)


def test_no_signature_of_an_address_is_told() -> None:
    body = manager("BadRequest", "see https://acc.blob.core.windows.net/c/f?sv=1&sig=SECRET%3D&se=2 for more of it")
    assert "SECRET" not in str(refusal(ASKED, 400, body, {}))
