"""Saying who we are to a registry: by name and password, or by a token that is had for them elsewhere."""

from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import httpx

from core.domain.errors import Failed
from core.domain.image_reference import Reference
from core.images.answers import MOST_SAID, away, refusal
from core.images.challenges import Challenge, challenge_in
from core.images.credentials import Credentials
from core.system.text import clean_line


async def login(client: httpx.AsyncClient, place: Reference, asked: httpx.Response, known: Credentials | None) -> str:
    """The header that answers a 401; raises Failed where there is none, Unreachable where tokens are had nowhere."""
    challenge = challenge_in(asked.headers.get_list("www-authenticate"))
    if challenge is None:
        raise Failed(f"{place.registry}: answered 401 and does not say how to log in; is it a registry?")
    if challenge.scheme == "bearer":
        return f"Bearer {await _token(client, place, challenge, known)}"
    if known is None:
        raise refusal(place, asked, None, "")
    return known.basic


async def _token(client: httpx.AsyncClient, place: Reference, challenge: Challenge, known: Credentials | None) -> str:
    realm, where = challenge.realm, urlsplit(challenge.realm).netloc
    if not realm.startswith("https://") and not (is_local(place.registry) and is_local(where)):
        shown = clean_line(realm, MOST_SAID)
        raise Failed(f"{place.registry}: sends us to {shown} to log in, which is not https; nothing was sent there")
    asked = {"service": challenge.service, "scope": f"repository:{place.repository}:pull,push"}
    asked = {name: value for name, value in asked.items() if value}
    try:
        if known is not None and known.identity:
            form = {"grant_type": "refresh_token", "client_id": "quarterdeck", "refresh_token": known.secret}
            answer = await client.post(realm, data={**asked, **form})
        else:
            headers = {"authorization": known.basic} if known else {}
            answer = await client.get(httpx.URL(realm).copy_merge_params(asked), headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        raise away(where, error) from None
    if not answer.is_success:
        raise refusal(place, answer, known, "")
    try:
        document: Any = answer.json()
        return str(document.get("token") or document["access_token"])
    except (ValueError, KeyError, AttributeError):
        raise Failed(f"{where}: gives no token where one was asked for; does {place.registry} log in there?") from None


def is_local(place: str) -> bool:
    """Whether a host is this machine, where nobody listens in."""
    try:
        host = urlsplit(f"//{place}").hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
