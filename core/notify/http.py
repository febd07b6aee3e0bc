"""A notice to a receiver that speaks HTTP. No address and no token reaches an error's text."""

import asyncio
from base64 import b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx

from core.config.alerts import ReceiverSettings
from core.domain.errors import Failed, Unreachable
from core.notify import payloads
from core.notify.payloads import AnswerLinks
from core.notify.secrets import secret
from core.state.alert import Notice

PAGERDUTY = "https://events.pagerduty.com/v2/enqueue"
GITHUB = "https://api.github.com"
AZURE = "https://dev.azure.com"
ONCE_MORE = frozenset({408, 425, 429})
"""What a server says that wants to be asked again later; of any other 4xx nothing changes by asking again."""


async def send(
    receiver: ReceiverSettings, notice: Notice, environ: Mapping[str, str], links: AnswerLinks | None = None
) -> None:
    """One try; raises Unreachable where another may help, Failed where somebody must change something."""
    url, headers, content = _request(receiver, notice, environ, links)
    kind = receiver.kind
    try:
        # Of an answer only its head counts, and all of it has one deadline: some give a byte a second.
        async with (
            # It reads the machine's certificates first, which is none of the receiver's time.
            httpx.AsyncClient(timeout=receiver.timeout_s, verify=receiver.ca or True) as client,
            asyncio.timeout(receiver.timeout_s),
            client.stream("POST", url, json=content, headers=headers) as answer,
        ):
            pass
    except (TimeoutError, httpx.TimeoutException):
        raise Unreachable(f"{kind} gave no answer within {receiver.timeout_s:g} s") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        # Its text may hold the address, and that is the secret.
        raise Unreachable(f"{kind} can't be reached ({type(error).__name__})") from None
    if answer.is_success:
        return
    said = f"{kind} answered {answer.status_code} {answer.reason_phrase}".strip()
    if answer.is_server_error or answer.status_code in ONCE_MORE:
        raise Unreachable(said)
    raise Failed(said)


def _request(
    receiver: ReceiverSettings, notice: Notice, environ: Mapping[str, str], links: AnswerLinks | None
) -> tuple[str, dict[str, str], Any]:
    """The address, the headers and the JSON."""
    match receiver.kind:
        case "pagerduty":
            key = secret(receiver.token_env, environ)
            return receiver.url or PAGERDUTY, {}, payloads.pagerduty(notice, key, links)
        case "github":
            headers = {
                "Authorization": f"Bearer {secret(receiver.token_env, environ)}",
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": "2022-11-28",
            }
            return f"{_base(receiver, GITHUB)}/repos/{receiver.repository}/issues", headers, payloads.github(notice)
        case "azure":
            token = b64encode(f":{secret(receiver.token_env, environ)}".encode()).decode()
            headers = {"Content-Type": "application/json-patch+json", "Authorization": f"Basic {token}"}
            path = quote(receiver.repository or "")
            url = f"{_base(receiver, AZURE)}/{path}/_apis/wit/workitems/$Issue?api-version=7.1"
            return url, headers, payloads.azure(notice)
        case "slack":
            return secret(receiver.url_env, environ), {}, payloads.slack(notice, links)
        case "teams":
            return secret(receiver.url_env, environ), {}, payloads.teams(notice, links)
        case _:
            bearer = {"Authorization": f"Bearer {secret(receiver.token_env, environ)}"} if receiver.token_env else {}
            return secret(receiver.url_env, environ), bearer, payloads.generic(notice, links)


def _base(receiver: ReceiverSettings, usual: str) -> str:
    return (receiver.url or usual).rstrip("/")
