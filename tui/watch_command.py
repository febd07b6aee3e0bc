"""`quarterdeck watch`: start, end and install the process that steers a project's releases."""

import asyncio
import shlex
import time
from collections.abc import Callable

from core.domain.errors import Failed
from core.engine.project import Project
from core.system.processes import child_environment, python
from core.system.text import span
from core.watch.install import install, uninstall
from tui.headless import unheard, watch_of


async def run(
    project: Project,
    write: Callable[[str], None],
    foreground: bool = False,
    stop: bool = False,
    install_unit: bool = False,
    uninstall_unit: bool = False,
) -> int:
    """Do what the flags say; without one, have a watch and say which."""
    client = watch_of(project)
    if stop:
        write("the watch has ended; endpoints go on, and nobody steers" if await client.stop() else "no watch ran here")
        return 0
    if install_unit:
        path, line = install(project.path)
        status = await client.status()
        if status is None:
            write(f"wrote {path}; switch it on with: {line}")
            return 0
        # Beside a watch that runs the unit's own would end at once, and nobody would restart it later.
        end = f"quarterdeck watch --stop --config {shlex.quote(str(project.path))}"
        write(f"wrote {path}; it takes the place of the watch that runs, process {status.pid}, with: {end} && {line}")
        return 0
    if uninstall_unit:
        gone = uninstall(project.path)
        write(f"removed {gone}" if gone else "no unit was installed for this project")
        return 0
    if foreground:
        return await _stay(project)
    status = await client.ensure()
    write(f"watch: process {status.pid}, up {span(time.time() - status.started_at)}, log {client.place.log}")
    for line in await unheard(project):
        write(line)
    return 0


async def _stay(project: Project) -> int:
    """Be its parent until it ends; ctrl-c reaches it too."""
    call = [*python("core.watch.main", str(project.path)), "--foreground"]
    process = await asyncio.create_subprocess_exec(*call, env=child_environment())
    try:
        code = await process.wait()
    except asyncio.CancelledError:
        process.terminate()
        code = await process.wait()
    if code:
        raise Failed(f"the watch ended with code {code}")
    return 0
