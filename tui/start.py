"""The console command. Apart from the others, so that ctrl-c is a clean end also while they are still loading."""

import sys

INTERRUPTED = 130


def main() -> None:
    """Run `quarterdeck`."""
    try:
        from tui.cli import app  # noqa: PLC0415

        app()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
