"""Times as the service writes them."""

from datetime import UTC, datetime

NEVER = "0001-01-01T00:00:00+00:00"
"""The end of what has not ended."""


def stamp() -> str:
    """Now, with the seven digits that the service has."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0+00:00")


def web_date() -> str:
    """Now, as HTTP has it."""
    return datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")


def made(by: str, at: str = "") -> dict[str, str]:
    """Who made something, and when; of endpoints and deployments no more is shown."""
    at = at or stamp()
    return {"createdAt": at, "createdBy": by, "lastModifiedAt": at}


def made_by_user(by: str, at: str = "") -> dict[str, str]:
    """The same as versions and jobs show it."""
    return {**made(by, at), "createdByType": "User", "lastModifiedBy": by, "lastModifiedByType": "User"}
