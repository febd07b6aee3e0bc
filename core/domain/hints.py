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
_WITHOUT_FILE = re.compile(
    rf"(?<![\w./-])(?P<command>quarterdeck (?:{'|'.join(OF_FILE)})(?![\w-])|(?<=')quarterdeck(?='| --(?!help)))"
    r"(?![^';\n]* --(?:config|help))"
)
"""A command in a text, in quotes or bare, the deck's in quotes alone; up to the flags."""


def typed(words: str, environment: str = "", production: bool = False, endpoint: str = "") -> str:
    """A command as it must be typed, in quotes: `'quarterdeck drill --env prod --confirm prod'`.

    `words` are its own, `drill`, or none for the deck; `endpoint` is one of several in the file. Which file that is
    says whoever was called with it (`for_file`).
    """
    verb = words.partition(" ")[0]
    flags = ""
    if environment and verb not in OF_PROJECT:
        flags = f" --env {environment}"
        flags += f" --endpoint {shlex.quote(endpoint)}" if endpoint else ""
        flags += f" --confirm {environment}" if production and verb in CONFIRMED else ""
    return f"'quarterdeck{f' {words}' if words else ''}{flags}'"


def for_file(text: str, config: str) -> str:
    """A text with `--config` in each command that it names, where another file is meant than the one in this folder."""
    if not config or "quarterdeck" not in text:
        return text
    return _WITHOUT_FILE.sub(lambda found: f"{found['command']} --config {shlex.quote(config)}", text)
