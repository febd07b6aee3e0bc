"""What a variable holds, for the one call that needs it. It is kept nowhere."""

from collections.abc import Mapping

from core.domain.errors import Failed


class Unset(Failed):
    """A variable that a receiver names holds nothing here."""


def secret(name: str | None, environ: Mapping[str, str]) -> str:
    """The value of a variable; raises Unset with its name alone."""
    value = environ.get(name or "", "").strip()
    if not value:
        raise Unset(f"the variable {name} is not set")
    return value
