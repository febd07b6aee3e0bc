"""From where somebody acts, in a line."""

import os

import pytest

from core.system.origin import origin

HERE = os.uname().nodename


@pytest.mark.parametrize(
    ("environ", "terminal", "said"),
    [
        ({}, "/dev/pts/4", f"{HERE}, /dev/pts/4"),
        ({"SSH_CONNECTION": "10.0.0.7 51000 10.0.0.1 22"}, "/dev/pts/4", f"{HERE}, /dev/pts/4, ssh from 10.0.0.7"),
        ({"SUDO_USER": "ada"}, "/dev/pts/4", f"{HERE}, /dev/pts/4, sudo by ada"),
        ({"CI": "true", "GITHUB_RUN_ID": "77"}, "no terminal", f"{HERE}, no terminal, GitHub run 77"),
        ({"CI": "true"}, "no terminal", f"{HERE}, no terminal, CI"),
        ({"SUDO_USER": "a\tb\n\x1b[2J"}, "", f"{HERE}, sudo by a?b??[2J"),
    ],
)
def test_the_machine_the_terminal_and_the_client(environ: dict[str, str], terminal: str, said: str) -> None:
    assert origin(environ, terminal) == said


def test_this_process_is_somewhere() -> None:
    assert origin().startswith(HERE)
