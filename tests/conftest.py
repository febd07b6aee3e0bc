"""What holds for every test."""

import signal


def pytest_configure() -> None:
    """Run in the background of a shell, tests ignore ctrl-c, and so would every process that they start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
