"""Commands as hints name them: whole, so that who pastes one means the environment that the hint is about. Pure."""

import re
import shlex

CONFIRMED = ("drill",)
"""In production these want the environment's name twice, and are refused without it where nobody can be asked."""
OF_PROJECT = ("promote", "releases", "restart", "status", "watch")
"""These are of the whole project, or name their environment in another way."""
OF_FILE = (
    *("abort", "alerts", "approve", "audit", "azure setup", "backtest", "backup", "data", "doctor", "down", "drill"),
    *("explain", "export", "image build", "image dockerfile", "image push", "live", "load", "next", "pause", "plan"),
    *("promote", "reason", "reject", "release", "releases", "replay", "report", "restart", "retire", "rollback"),
    *("scale", "silence", "smoke", "status", "truth", "undo", "unsilence", "watch"),
)
"""Commands that read quarterdeck.yaml."""
NO_ENDPOINT = ("backup", "watch")
"""Those of them that take no endpoint."""
_COMMAND = re.compile(
    rf"(?<![\w./-])(?:quarterdeck (?P<verb>{'|'.join(OF_FILE)})(?![\w-])|(?<=')quarterdeck(?='| --))"
    r"(?=(?P<flags>[^';\n]*))"
)
"""A command in a text, in quotes or bare, the deck's in quotes alone; what stands behind its name is looked at only."""


def typed(words: str, environment: str = "", production: bool = False, endpoint: str = "") -> str:
    """A command as it must be typed, in quotes: `'quarterdeck drill --env prod --confirm prod'`.

    `words` are its own, `drill`, or none for the deck; `endpoint` is one of several in the file. Which file that is
    says whoever was called with it (`as_called`).
    """
    verb = words.partition(" ")[0]
    flags = ""
    if environment and verb not in OF_PROJECT:
        flags = f" --env {environment}"
        flags += f" --endpoint {shlex.quote(endpoint)}" if endpoint else ""
        flags += f" --confirm {environment}" if production and verb in CONFIRMED else ""
    return f"'quarterdeck{f' {words}' if words else ''}{flags}'"


def as_called(text: str, config: str, endpoint: str) -> str:
    """A text whose commands mean the file and the endpoint that the command which says it was called with."""
    given = {"--config": config, "--endpoint": endpoint}

    def called(found: re.Match[str]) -> str:
        flags, verb = found["flags"], found["verb"]
        wanted = [] if " --help" in flags else [name for name, value in given.items() if value and name not in flags]
        kept = [name for name in wanted if not (name == "--endpoint" and verb in NO_ENDPOINT)]
        return " ".join([found[0], *(f"{name} {shlex.quote(given[name])}" for name in kept)])

    return _COMMAND.sub(called, text) if any(given.values()) else text
