"""`quarterdeck azure setup`: make what a workspace lacks, once somebody has agreed to what it costs."""

import sys
from collections.abc import Callable
from functools import partial

from core.domain.errors import Refused
from core.engine.project import Project
from core.system.aside import aside
from core.targets.azureml.calls import AzureCalls
from core.targets.azureml.credentials import AzureLogin
from core.targets.azureml.setup import made, missing
from core.targets.azureml.workspace import azure_endpoint

Write = Callable[[str], None]


async def setup(project: Project, region: str, yes: bool, write: Write) -> int:
    """Say what is missing and what it costs, ask, make it; raises Refused where nobody can be asked."""
    at = azure_endpoint(project.settings)
    calls = AzureCalls(at.place, AzureLogin(at.place), at.ca)
    try:
        pieces = await aside(lambda: missing(at, calls, region), "azure setup")
        if not pieces:
            write(f"{at.place.where}: the workspace and its cluster {at.place.cluster.name} are there; nothing to make")
            return 0
        write(f"{at.place.where}: to be made, as {await aside(calls.login.account, 'azure account')}")
        for piece in pieces:
            write(f"  {piece.what}: {piece.cost}")
        if not yes and not _agreed(write):
            write("nothing was made")
            return Refused.exit_code
        for piece in pieces:
            took_s = await aside(partial(made, at, calls, piece), "azure setup")
            write(f"{piece.what}: made in {took_s:.0f} s")
    finally:
        calls.close()
    return 0


def _agreed(write: Write) -> bool:
    """Whether whoever sits there says yes; raises Refused where nobody does."""
    if not sys.stdin.isatty():
        raise Refused("it costs money, and nobody can be asked here; say --yes to mean it")
    write("Make it? y/n")
    return sys.stdin.readline().strip().lower() in ("y", "yes")
