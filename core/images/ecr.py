"""Amazon's registry: its tokens, and repositories that must be there first. Its SDK is imported where it is asked."""

import base64
import importlib
import re
from collections.abc import Callable, Mapping
from typing import Any

from core.domain.errors import Failed, Unreachable
from core.domain.image_reference import Reference
from core.images.credentials import Credentials

REGISTRY = "ECR_REGISTRY"
REPOSITORY = "ECR_REPO"
CONNECT_S, READ_S = 10, 30
_HOST = re.compile(r"^(\d{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|on\.aws)\Z")
_MAY_NOT = ("AccessDenied", "AccessDeniedException", "UnrecognizedClientException", "ExpiredTokenException")


def is_ecr(registry: str, environ: Mapping[str, str]) -> bool:
    """Whether a registry is Amazon's, by its name or because it was called so."""
    return bool(_HOST.match(registry)) or registry == environ.get(REGISTRY)


def prepared(place: Reference, environ: Mapping[str, str], say: Callable[[str], None]) -> Credentials:
    """A token for a push, with the repository made where it is missing. Raises Failed, Unreachable. Blocks."""
    client = _client(place.registry, _region(place, environ))
    found = _token(place, client)
    _make(place, client, say)
    return found


def token(place: Reference, environ: Mapping[str, str]) -> Credentials:
    """A token alone; nothing is made. Raises Failed, Unreachable. Blocks."""
    return _token(place, _client(place.registry, _region(place, environ)))


def _region(place: Reference, environ: Mapping[str, str]) -> str | None:
    match = _HOST.match(place.registry)
    return match[2] if match else environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")


def _token(place: Reference, client: Any) -> Credentials:
    given = _asked(place, "get_authorization_token", client.get_authorization_token)
    user, _, secret = base64.b64decode(given["authorizationData"][0]["authorizationToken"]).decode().partition(":")
    return Credentials(user, secret)


def _client(registry: str, region: str | None) -> Any:
    try:
        boto3, config = importlib.import_module("boto3"), importlib.import_module("botocore.config")
    except ImportError:
        raise Failed(f"{registry}: its tokens need boto3: pip install 'quarterdeck[aws]', or docker login") from None
    try:
        settings = config.Config(connect_timeout=CONNECT_S, read_timeout=READ_S, retries={"max_attempts": 2})
        return boto3.session.Session().client("ecr", region_name=region, config=settings)
    except _errors().BotoCoreError as error:
        raise Failed(f"{registry}: {_named(error)}; set AWS_REGION and AWS_PROFILE or AWS_ACCESS_KEY_ID") from None


def _make(place: Reference, client: Any, say: Callable[[str], None]) -> None:
    """Have the repository there. Who may not look may still push, and hears of it then."""
    errors = client.exceptions
    try:
        client.describe_repositories(repositoryNames=[place.repository])
        return
    except errors.RepositoryNotFoundException:
        pass
    except (_errors().ClientError, _errors().BotoCoreError):
        return
    try:
        _asked(
            place,
            "create_repository",
            lambda: client.create_repository(
                repositoryName=place.repository, imageScanningConfiguration={"scanOnPush": True}
            ),
        )
    except Failed as error:
        why = f"has no repository {place.repository}, and it can't be made from here"
        raise Failed(f"{place.registry}: {why}: {error}") from None
    say(f"{place.registry}: repository {place.repository} made")


def _asked(place: Reference, what: str, call: Callable[[], Any]) -> Any:
    """An answer of Amazon's; its errors by their codes, which hold no secret."""
    try:
        return call()
    except _errors().ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", "unknown"))
        todo = "; look at AWS_PROFILE and what that user may do" if code in _MAY_NOT else ""
        raise Failed(f"{place.registry}: Amazon answered {code} to {what}{todo}") from None
    except _errors().BotoCoreError as error:
        kind = Failed if "Credentials" in type(error).__name__ else Unreachable
        todo = "set AWS_PROFILE or AWS_ACCESS_KEY_ID" if kind is Failed else "try again later"
        raise kind(f"{place.registry}: Amazon was not asked ({_named(error)}); {todo}") from None


def _errors() -> Any:
    return importlib.import_module("botocore.exceptions")


def _named(error: Exception) -> str:
    return type(error).__name__
