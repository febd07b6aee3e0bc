"""The console command. Apart from the others, so that what goes wrong while they are loading has a clean end too.

It loads next to nothing: the milliseconds of a rollback count from the start of its process.
"""

import gc
import os
import sys

BROKEN = 1
USAGE = 2
INTERRUPTED = 130
BEFORE_VERB = ("--config", "--env", "--set", "--endpoint")
"""What may stand before a command's name with a value of its own."""


def main() -> None:
    """Run `quarterdeck`."""
    try:
        _run()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:
        sys.exit(_broken(error))


def _run() -> None:
    _only_ours()
    if (asked := rollback_words(sys.argv[1:])) is not None:
        from tui import quick_rollback  # noqa: PLC0415

        quick_rollback.TAKEN_UP = quick_rollback.ask(asked)
    from tui.output import install  # noqa: PLC0415

    install()
    # What loads here stays: looking through it for garbage meanwhile costs some of the time that a user waits.
    gc.disable()
    from tui.cli import app  # noqa: PLC0415

    gc.freeze()
    gc.enable()
    app()


def rollback_words(words: list[str]) -> list[str] | None:
    """What is said to `rollback` on either side of its name; None where another command is called."""
    at = 0
    while at < len(words) and words[at].partition("=")[0] in BEFORE_VERB:
        at += 1 if "=" in words[at] else 2
    return [*words[:at], *words[at + 1 :]] if words[at : at + 1] == ["rollback"] else None


def _only_ours() -> None:
    """A project's folder may hold a `types.py` of its own: `python -m` looks there first, nothing of ours may."""
    home = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    try:
        here = os.getcwd()
    except OSError:  # the folder that it was called in is gone
        return
    if not sys.flags.safe_path and sys.path and os.path.realpath(sys.path[0]) == here != home:
        del sys.path[0]


def _broken(error: Exception) -> int:
    """Say in a line that something inside broke, and where its traceback is; the exit code."""
    import logging  # noqa: PLC0415

    from tui.output import say  # noqa: PLC0415

    try:
        os.getcwd()
    except OSError:
        say("error: the folder that this was called in is gone: go to one that is there", sys.stderr)
        return USAGE
    log = logging.getLogger("quarterdeck")
    if log.handlers:
        log.error("the command broke", exc_info=error)
        where = "quarterdeck.log beside the project's journal"
    else:
        where = _noted(error)
    words = " ".join(f"{type(error).__name__}: {error}".split())
    say(f"error: something inside broke: {words}; the details are in {where}", sys.stderr)
    return BROKEN


def _noted(error: Exception) -> str:
    """A traceback in a file of its own, where no project's log is open."""
    import tempfile  # noqa: PLC0415
    import traceback  # noqa: PLC0415

    try:
        with tempfile.NamedTemporaryFile("w", prefix="quarterdeck-", suffix=".log", delete=False) as file:
            traceback.print_exception(error, file=file)
    except OSError as full:
        return f"no file: {full}"
    return file.name


if __name__ == "__main__":
    main()
