"""What a variable holds, for the one call that needs it. It is kept nowhere."""

from collections.abc import Mapping

from core.domain.errors import Failed


def secret(name: str | None, environ: Mapping[str, str]) -> str:
    """The value of a variable; raises Failed with its name alone."""
    value = environ.get(name or "", "").strip()
    if not value:
        raise Failed(f"the variable {name} is not set for the watch; set it and call 'quarterdeck watch' again")
    return value
