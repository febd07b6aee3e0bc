"""From where somebody acts: the machine, the terminal, the client at its other end. Loads nothing but `os`."""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

CI = (
    ("GITHUB_RUN_ID", "GitHub run"),
    ("CI_JOB_ID", "GitLab job"),
    ("BUILD_BUILDID", "Azure build"),
    ("BUILDKITE_BUILD_ID", "Buildkite build"),
    ("CIRCLE_BUILD_NUM", "CircleCI build"),
    ("BUILD_TAG", "Jenkins"),
)
MOST = 160


def origin(environ: "Mapping[str, str] | None" = None, terminal: str | None = None) -> str:
    """Where this process is asked from, in a line: `build-7, /dev/pts/4, ssh from 10.0.0.7`."""
    given = os.environ if environ is None else environ
    parts = [os.uname().nodename, _terminal() if terminal is None else terminal]
    if client := given.get("SSH_CONNECTION", given.get("SSH_CLIENT", "")).split(" ")[0]:
        parts.append(f"ssh from {client}")
    if by := given.get("SUDO_USER"):
        parts.append(f"sudo by {by}")
    known = [f"{what} {given[name]}" for name, what in CI if given.get(name)]
    if known or given.get("CI"):
        parts.append(known[0] if known else "CI")
    text = ", ".join(part for part in parts if part)
    # It goes into one line of a socket, and into one of a table.
    return "".join(sign if sign.isprintable() else "?" for sign in text)[:MOST]


def _terminal() -> str:
    for number in (0, 1, 2):
        try:
            return os.ttyname(number)
        except OSError:
            continue
    return "no terminal"
