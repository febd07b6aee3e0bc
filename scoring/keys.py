"""How a caller sends the key: as a bearer token, as `x-api-key`, or from a browser as a password."""

import binascii
from base64 import b64decode
from typing import Any

CHALLENGE = ("www-authenticate", "Bearer")
BROWSER_CHALLENGE = ("www-authenticate", 'Basic realm="the key, as password", charset="UTF-8", Bearer')
"""Said of pages that people read: a browser can send nothing that is not asked for."""


def sent(headers: Any) -> str:
    """The key that came with a request, empty without one."""
    scheme, _, token = (headers.get("authorization") or "").partition(" ")
    match scheme.lower():
        case "bearer":
            return str(token).strip()
        case "basic" if password := _password(token.strip()):
            return password
    return str(headers.get("x-api-key") or "").strip()


def _password(token: str) -> str:
    try:
        return b64decode(token, validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return ""
