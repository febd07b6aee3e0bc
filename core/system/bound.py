"""Becomes a command that ends with whoever started it: `python -m core.system.bound PARENT COMMAND…`.

What somebody else wrote can't ask the kernel for that itself.
"""

import os
import sys

from core.system.processes import die_with_parent


def main() -> None:
    """Never returns."""
    die_with_parent()
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the parent is gone")
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 - a list that was checked, and no shell


if __name__ == "__main__":
    main()
