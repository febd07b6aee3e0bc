"""Which address took no file, what it answered, and what to do about that: a role only where a role is missing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.domain.errors import BadInput, QuarterdeckError, Refused, Unreachable
from core.targets.azureml.blob_errors import blob_refusal
from core.targets.azureml.blobs import BlobRight, BlobUploads, default_store
from core.targets.azureml.calls import AzureCalls
from core.targets.azureml.credentials import AzureLogin
from tests.azure.standin import AzureStandIn
from tests.ports import free_port
from tests.targets.azureml_places import AzurePlaceOf, serving_workspace

URL = "https://acc.blob.core.windows.net/container"
HOST = "acc.blob.core.windows.net"
DOUBT = "azureml.cloud.storage is X, and the workspace's own store is at Y; write that"


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureStandIn]:
    """A workspace."""
    with serving_workspace(tmp_path_factory.mktemp("azure")) as one:
        yield one


@pytest.mark.parametrize(
    ("by", "status", "code", "kind", "line"),
    [
        (
            "key",
            401,
            "",
            BadInput,
            "to a file for acc, not as a store of Azure's does; check azureml.cloud",
        ),
        ("login", 403, "AuthorizationPermissionMismatch", Refused, "needs the role 'Storage Blob Data Contributor'"),
        ("login", 403, "AuthorizationFailure", Refused, "its network must let this machine in"),
        ("login", 401, "InvalidAuthenticationInfo", Refused, "its tenant must be the account's"),
        ("key", 403, "AuthenticationFailed", Refused, "'az ml workspace sync-keys'"),
        ("sas", 403, "AuthenticationFailed", Refused, "the signed address is not taken: it has run out"),
        ("key", 403, "KeyBasedAuthenticationNotPermitted", Refused, "it takes no keys"),
        ("key", 404, "ContainerNotFound", Refused, "no such container"),
        ("login", 403, "SomethingElse", Refused, "or its network must let this machine in"),
        ("login", 409, "BlobImmutableDueToPolicy", Refused, "(BlobImmutableDueToPolicy) to a file for acc; see what"),
        ("key", 503, "ServerBusy", Unreachable, "answers 503 (ServerBusy) to a file for acc; tried again"),
    ],
)
def test_a_refusal_names_the_address_and_what_is_wrong_with_it(
    by: str, status: int, code: str, kind: type[QuarterdeckError], line: str
) -> None:
    headers = {"x-ms-error-code": code} if code else {}
    error = blob_refusal("acc", URL, by, status, headers)
    assert type(error) is kind
    assert line in str(error)
    assert str(error).startswith(f"azureml: {HOST} answers {status}")


def test_an_address_that_is_not_the_workspaces_own_is_named_with_it() -> None:
    assert str(blob_refusal("acc", URL, "key", 401, {}, DOUBT)).endswith(f"not as a store of Azure's does; {DOUBT}")


def test_a_wrong_cloud_storage_blames_no_role(azure: AzureStandIn, tmp_path: Path) -> None:
    """Somebody answers there all the same, such as a proxy."""
    cloud = {"resource_manager": azure.url, "storage": "core.windows.net"}
    place = AzurePlaceOf(azure, tmp_path, cloud=cloud)
    calls = AzureCalls(place.at.place, AzureLogin(place.at.place, place.token), place.at.ca)
    uploads = BlobUploads(calls, place.at.ca)
    right = default_store(calls, place.at.workspace, place.at.place)
    with pytest.raises(BadInput) as raised:
        uploads.put(right, "a/b", b"text")
    assert str(raised.value).startswith(f"azureml: localhost:{azure.port} answers 401 to a file for ")
    assert str(raised.value).endswith("azureml.cloud.storage is core.windows.net, and the workspace's own store is at "
                                      "core.localhost; write that")  # fmt: skip
    away = BlobRight("acc", "container", f"https://localhost:{free_port()}/container", key="a2V5", doubt=DOUBT)
    with pytest.raises(Unreachable) as mute:
        uploads.put(away, "a/b", b"text")
    assert str(mute.value).startswith("azureml: no answer from localhost:")
    assert str(mute.value).endswith(f"(ConnectError); {DOUBT}")
    for one in (uploads, calls):
        one.close()
