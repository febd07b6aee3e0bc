"""The process that steers a project's releases: `python -m core.watch.main QUARTERDECK_YAML`. One a project.

Detached from whoever starts it, it drives every endpoint of the project, keeps its hosts alive and retries what is
pending, with every terminal closed. It ends when the last `down` asks it to, or when the project's folder goes.
"""

import asyncio
import fcntl
import gc
import logging
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from core.config.config import state_folder
from core.domain.errors import QuarterdeckError
from core.engine.engine import Engine
from core.engine.project import JOURNAL, Project
from core.engine.smoke import load_client
from core.journal.journal import Journal
from core.state.release import ReleaseState
from core.system.log_files import make_room
from core.system.processes import ProcessId, process_id
from core.watch import left_jobs
from core.watch.alerting import Alerting
from core.watch.answer_links import AnswerSigner
from core.watch.answering import Answering
from core.watch.keeper import Keeper
from core.watch.place import WatchPlace
from core.watch.scopes import ProjectScopes
from core.watch.server import WatchServer
from core.watch.telling import Telling

LOOK_S = 1.0
BACK_S = 20.0
"""A watch that is to end brings a way back to its end for so long; whoever asked it to end waits longer."""
log = logging.getLogger("quarterdeck")


def main(arguments: list[str] | None = None) -> int:
    """Be the watch of a project; ends at once where another one is. `--foreground` stays with its starter."""
    given = sys.argv[1:] if arguments is None else arguments
    foreground = "--foreground" in given
    place = WatchPlace(Path(given[0]).resolve())
    if not place.config.is_file():
        print(f"{place.config}: no such file", file=sys.stderr, flush=True)  # noqa: T201
        return 2
    place.folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(place.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return 0
    if not foreground:
        if os.fork():
            # The starter waits for this process alone; the watch itself belongs to nobody.
            os._exit(0)
        os.setsid()
        for number in (signal.SIGHUP, signal.SIGINT):
            # Not ignored for good: what it starts would inherit that.
            signal.signal(number, lambda *_: None)
    try:
        asyncio.run(_run(place, foreground))
    except (QuarterdeckError, OSError) as error:
        print(error, file=sys.stderr, flush=True)  # noqa: T201
        return 1
    return 0


async def _run(place: WatchPlace, foreground: bool) -> None:
    project = Project(place.config)
    journal = project.journal(wait_s=0)
    try:
        async with project.engine(journal, who="watch") as engine:
            server = WatchServer(place, engine)
            keeper = Keeper(project, engine, lambda: server.lookers > 0)
            scopes, folder = ProjectScopes(project, engine), state_folder(project.settings)
            alerting = Alerting(engine, scopes, folder, lambda: Journal(folder / JOURNAL, read_only=True))
            telling, answering = Telling(engine, scopes, folder), Answering(engine, scopes, AnswerSigner(folder))
            loop = asyncio.get_running_loop()
            earlier, orderly, me = place.who(), place.ended, process_id()
            if me is not None:
                place.write_who(me)
            loop.add_signal_handler(signal.SIGTERM, server.stopping.set)
            await server.start()
            if not foreground:
                _let_go(place)
            # What is loaded stays; to look through it for garbage takes 70 ms, in which no way back begins.
            gc.freeze()
            log.warning("the watch of %s is up, process %s", place.config.parent, os.getpid())
            try:
                async with asyncio.TaskGroup() as group:
                    tasks = [
                        group.create_task(keeper.run(earlier, orderly), name="keep the project"),
                        group.create_task(alerting.run(), name="look for alerts"),
                        group.create_task(telling.run(), name="tell people"),
                        group.create_task(answering.run(), name="let people answer"),
                        group.create_task(left_jobs.cancel(project, engine), name="cancel jobs that were left"),
                        # No way back is to wait for that.
                        group.create_task(load_client(), name="load what speaks HTTP"),
                    ]
                    await _until_over(place, server)
                    _say_that_it_ends(place, me)
                    await _until_back(engine)
                    for task in tasks:
                        task.cancel()
            finally:
                await server.close()
        if server.asked_to_end and place.who() == me:
            place.forget()
    finally:
        journal.close()


def _say_that_it_ends(place: WatchPlace, me: ProcessId | None) -> None:
    """It answers nobody soon, and is not to be taken for one that hangs."""
    if me is not None and place.who() == me:
        with suppress(OSError):
            place.write_who(me, ended=True)


async def _until_over(place: WatchPlace, server: WatchServer) -> None:
    """Wait until somebody asks it to end, or its folder has gone."""
    while not server.stopping.is_set():
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                await server.stopping.wait()
        if not place.lock.exists():
            return


async def _until_back(engine: Engine) -> None:
    """Whoever pressed the key is not to wait for another watch: what is on its way gets there first, within limits."""
    with suppress(TimeoutError):
        async with asyncio.timeout(BACK_S):
            while any(one.live and one.state is not ReleaseState.RUNNING for one in engine.snapshot.releases.values()):
                await engine.change(LOOK_S)


def _let_go(place: WatchPlace) -> None:
    """What is said from here on goes to the log."""
    make_room(place.log)
    out = os.open(place.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (out, 1), (out, 2)):
        os.dup2(source, target)
    os.close(null)
    os.close(out)


if __name__ == "__main__":
    sys.exit(main())
