"""Commands as hints name them: whole, so that who pastes one means the environment that the hint is about. Pure."""

import shlex

CONFIRMED = ("drill",)
"""In production these want the environment's name twice, and are refused without it where nobody can be asked."""
OF_PROJECT = ("promote", "releases", "restart", "status", "watch")
"""These are of the whole project, or name their environment in another way."""


def typed(words: str, environment: str = "", production: bool = False, endpoint: str = "", config: str = "") -> str:
    """A command as it must be typed, in quotes: `'quarterdeck drill --env prod --confirm prod'`.

    `words` are its own, `drill`, or none for the deck; `endpoint` is one of several in the file, `config` the file
    where that is not the one in this folder.
    """
    verb = words.partition(" ")[0]
    flags = f" --config {shlex.quote(config)}" if config else ""
    if environment and verb not in OF_PROJECT:
        flags += f" --env {environment}"
        flags += f" --endpoint {shlex.quote(endpoint)}" if endpoint else ""
        flags += f" --confirm {environment}" if production and verb in CONFIRMED else ""
    return f"'quarterdeck{f' {words}' if words else ''}{flags}'"
