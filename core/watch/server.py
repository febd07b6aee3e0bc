"""The watch's ear: one line in, one back; `look` stays open while a screen is looked at.

The lines are JSON, but for a rollback's, whose command has loaded nothing that reads it.
"""

import asyncio
import json
import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.config.config import endpoint_name
from core.domain.errors import QuarterdeckError
from core.engine.engine import Engine
from core.engine.project import READ_ONLY, Project
from core.state.commands import Rollback
from core.state.confirmation import confirmation
from core.state.together import asked_too
from core.system.text import clean_line
from core.watch.place import WatchPlace, package_version

LINE_BYTES = 1 << 16
MOST_TALKS = 256
ROLLBACK = b"rollback\t"
log = logging.getLogger("quarterdeck")


class WatchServer:
    """Answers on the project's socket. `stopping` is set when somebody asked it to end."""

    def __init__(self, place: WatchPlace, engine: Engine) -> None:
        self.stopping = asyncio.Event()
        self.asked_to_end = False
        self.lookers = 0
        self._place = place
        self._engine = engine
        self._started_at = time.time()
        self._here = place.here
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen, over a socket that an earlier watch may have left; raises OSError."""
        path = self._place.socket
        path.unlink(missing_ok=True)
        mask = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._talk, str(path), limit=LINE_BYTES)
        finally:
            os.umask(mask)

    async def close(self) -> None:
        """Hang up on everybody."""
        if self._server is not None:
            self._server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)
        self._place.socket.unlink(missing_ok=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.current_task()
        if talk is None or len(self._talks) >= MOST_TALKS:
            writer.close()
            return
        self._talks.add(talk)
        looking = False
        try:
            while line := await reader.readline():
                if line.startswith(ROLLBACK):
                    writer.write((await self._rollback(line.decode()) + "\n").encode())
                    await writer.drain()
                    continue
                message = json.loads(line)
                if message["do"] == "look" and not looking:
                    looking, self.lookers = True, self.lookers + 1
                writer.write((json.dumps(self._answer(message)) + "\n").encode())
                await writer.drain()
        except (ConnectionError, ValueError, KeyError, TypeError, asyncio.LimitOverrunError) as error:
            log.warning("not understood on the watch's socket: %s", error)
        except asyncio.CancelledError:
            pass  # The watch is ending; whoever waits sees the connection close.
        finally:
            self.lookers -= looking
            self._talks.discard(talk)
            writer.close()

    def _answer(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """What comes of one message. Never waits: an answer is the sign that somebody is there."""
        try:
            match message["do"]:
                case "take":
                    self._take(str(message["endpoint"]), force=bool(message.get("force")))
                case "poke":
                    self._engine.catch_up()
                case "stop":
                    self.asked_to_end = True
                    self.stopping.set()
                case "ping" | "look":
                    pass
                case other:
                    return {"error": f"{other}: this watch (version {package_version()}) does not know it"}
        except QuarterdeckError as error:
            return {"error": str(error)}
        except Exception as error:
            log.exception("%s", message["do"])
            return {"error": f"{message['do']}: {type(error).__name__}; see quarterdeck.log"}
        who = {"pid": os.getpid(), "version": package_version(), "started_at": self._started_at}
        # What they hold is told to nobody.
        unset = [name for name in map(str, message.get("names", ())) if not os.environ.get(name, "").strip()]
        return {**who, "folder": self._here, "lookers": self.lookers, "unset": unset}

    async def _rollback(self, line: str) -> str:
        """A rollback by a command that has loaded nothing yet, not even JSON, in fields with tabs between them.

        Asked: rollback, path of quarterdeck.yaml, environment or nothing, who, from where, why or nothing, for how
        many seconds it has been asking, then each setting that was given as a flag.
        Said: taken, endpoint, the release that goes back or nothing, the journal's last event before; or no, and why.
        """
        try:
            _, config, environment, who, where, reason, ago_s, *sets = line.rstrip("\n").split("\t")
            settings = Project(Path(config), environment or None, sets).settings
            if settings.read_only:
                return f"no\t{settings.environment}: {READ_ONLY}"
            name, after = endpoint_name(settings), self._engine.snapshot.seq
            command = Rollback(name, self._engine.now() - float(ago_s), reason)
            if confirmation(command, self._engine.snapshot, self._engine.now()) is not None:
                return f"no\t{name}: this asks a question first"
            await self._engine.do(command, who, where)
        except QuarterdeckError as error:
            return f"no\t{clean_line(str(error))}"
        snapshot = self._engine.snapshot
        # Where it was back already, it is another one of its group that goes.
        going = (snapshot.live_release(one) for one in (name, *asked_too(command, snapshot)))
        release = next((one for one in going if one is not None), None)
        return f"taken\t{name if release is None else release.endpoint}\t{release.id if release else ''}\t{after}"

    def _take(self, endpoint: str, *, force: bool) -> None:
        """Drive an endpoint now, whoever did before; raises Refused with who does."""
        self._engine.catch_up()
        release = self._engine.snapshot.live_release(endpoint)
        self._engine.attend(endpoint)
        self._engine.leadership.take(endpoint, {} if release is None else release.options, force=force)
