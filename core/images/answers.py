"""What a registry's answer, or its silence, means to whoever pushes: one line, and no secret in it."""

import json
import ssl

import httpx

from core.domain.errors import Failed, QuarterdeckError, Unreachable
from core.domain.image_reference import Reference
from core.images.credentials import Credentials
from core.system.text import clean_line

TRIES = 3
ONCE_MORE = frozenset({408, 429, 500, 502, 503, 504})
"""What may be otherwise when it is asked again."""
MOST_SAID = 160


def refusal(place: Reference, answer: httpx.Response, known: Credentials | None, header: str) -> QuarterdeckError:
    """The error that an answer is."""
    registry, repository = place.registry, place.repository
    said = _said(answer, known, header)
    login = f"docker login {registry}{said}"
    match answer.status_code:
        case 401 if known is None:
            return Failed(f"{registry}: wants to know who pushes (401), and no login of it is known here: {login}")
        case 401:
            return Failed(f"{registry}: does not take the login that is known here (401): {login}")
        case 403:
            return Failed(f"{registry}: this login may not push to {repository} (403){said}")
        case 404:
            return Failed(f"{registry}: has no repository {repository} (404); make it first{said}")
        case code if code in ONCE_MORE:
            return Unreachable(f"{registry}: answered {code}, {TRIES} times{said}; try again later")
        case code:
            return Failed(f"{registry}: answered {code} and did not take {repository}{said}")


def away(where: str, error: Exception) -> QuarterdeckError:
    """Nobody answers there."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            why = f"its certificate is not trusted: {cause.verify_message}"
            return Failed(f"{where}: {why}; name its CA's file in SSL_CERT_FILE")
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx.TimeoutException):
        return Unreachable(f"{where}: no answer in time ({type(error).__name__}); try again later")
    return Unreachable(f"{where}: can't be reached ({type(error).__name__}); is the address right?")


def _said(answer: httpx.Response, known: Credentials | None, header: str) -> str:
    """The registry's own reason, unless it repeats what nobody is to see."""
    try:
        first = json.loads(answer.content)["errors"][0]
        text = clean_line(f"{first.get('code', '')} {first.get('message', '')}", MOST_SAID)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return ""
    hidden = [header.partition(" ")[2], known.secret if known else "", known.basic.partition(" ")[2] if known else ""]
    return "" if any(each and each in text for each in hidden) else f" (it says: {text})"
