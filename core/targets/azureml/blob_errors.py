"""Why a store of blobs took no file, and what to do: a line that names the address which answered. Pure.

A store of Azure's gives each refusal a code of its own; who gives none is most likely somebody else at that address.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from core.domain.errors import BadInput, QuarterdeckError, Refused, Unreachable

CODE = "x-ms-error-code"
ROLE = "Storage Blob Data Contributor"
_CLOSED = {"AuthorizationFailure", "NetworkAuthorizationFailure", "PublicAccessNotPermitted"}
_ROLELESS = {"AuthorizationPermissionMismatch", "InsufficientAccountPermissions"}
_NOT_KNOWN = {"AuthenticationFailed", "InvalidAuthenticationInfo", "NoAuthenticationInformation"}


def host_of(url: str) -> str:
    """The host of a store; of a signed address nothing else."""
    return urlsplit(url).netloc or "an address without a host"


def unreached(account: str, url: str, error: Exception, doubt: str = "") -> Unreachable:
    """Nobody answered; `doubt` is why the address may be wrong."""
    said = f"; {doubt}" if doubt else ""
    return Unreachable(f"azureml: no answer from {host_of(url)}, the blobs of {account} ({type(error).__name__}){said}")


def blob_refusal(
    account: str, url: str, by: str, status: int, headers: Mapping[str, str], doubt: str = ""
) -> QuarterdeckError:
    """What an answer other than a good one means; `by` is what let the file in: `sas`, `key` or `login`."""
    code = headers.get(CODE, "")
    told = f"azureml: {host_of(url)} answers {status}{f' ({code})' if code else ''} to a file for {account}"
    if status >= 500 or status == 429:
        return Unreachable(f"{told}; tried again")
    if not code:
        wrong = doubt or "check azureml.cloud.storage and the proxies on the way"
        return BadInput(f"{told}, not as a store of Azure's does; {wrong}")
    return Refused(f"{told}; {_todo(account, by, status, code)}{f'; {doubt}' if doubt else ''}")


def _todo(account: str, by: str, status: int, code: str) -> str:
    if code in _CLOSED:
        return "its network must let this machine in (the account's page, Networking)"
    if code in _ROLELESS:
        return f"the login needs the role '{ROLE}' on {account}"
    if code == "KeyBasedAuthenticationNotPermitted":
        return "it takes no keys; let the workspace's stores use identities ('az ml datastore update')"
    if code in _NOT_KNOWN:
        return {
            "sas": "the signed address is not taken: it has run out, or this machine's clock is wrong; try again",
            "key": "the workspace has an old key of it, or this machine's clock is wrong: 'az ml workspace sync-keys'",
            "login": "it does not know this login: its tenant must be the account's, and azureml.cloud the right one",
        }[by]
    if status == 404:
        return "the account has no such container; check the workspace's stores ('az ml datastore list')"
    if status in {401, 403}:
        return f"the login needs the role '{ROLE}' on {account}, or its network must let this machine in"
    return "see what its page says, then try again"
