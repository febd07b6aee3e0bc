"""Long operations: begun by a call, asked for at a long signed address under the subscription's location.

Recorded: the two addresses, the status while it goes on and at its success. Never recorded: a failed one, `Canceled`,
what mfeOperationResults answers, and what becomes of an address whose signature is wrong (here 403).
"""

import asyncio
import base64
import hashlib
import hmac
import secrets
import uuid
from collections.abc import Coroutine
from dataclasses import dataclass, field
from urllib.parse import quote

from tests.azure.calls import Json, RestAnswer, RestCall
from tests.azure.delays import AzureDelays
from tests.azure.refusals import LOCATION, RestRefusal, not_here
from tests.azure.stamps import NEVER, stamp

PROVIDER = "Microsoft.MachineLearningServices"


@dataclass(slots=True)
class MfeOperation:
    """One of them; `failure` is its message."""

    name: str
    path: str
    started_at: str
    state: str = "Updating"
    ended_at: str = NEVER
    failure: str | None = None

    def document(self) -> Json:
        """Its status as JSON."""
        found: Json = {
            "id": self.path,
            "name": self.name,
            "status": self.state,
            "startTime": self.started_at,
            "endTime": self.ended_at,
            "percentComplete": 0.0,
        }
        if self.failure is not None:
            found["error"] = {"code": None, "message": self.failure}
        return found


@dataclass(slots=True)
class Operations:
    """All of a subscription's. `base` is where the resource manager answers."""

    subscription: str
    workspace_id: str
    delays: AzureDelays
    base: str = ""
    held: dict[str, MfeOperation] = field(default_factory=dict)
    troubles: list[BaseException] = field(default_factory=list)
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)
    _secret: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    _certificate: str = field(default_factory=lambda: base64.urlsafe_b64encode(secrets.token_bytes(2200)).decode())

    def begin(self, kind: str, work: Coroutine[None, None, str | None]) -> MfeOperation:
        """Begin one; its work ends with None, or with the message of its failure."""
        name = f"{kind}:{self.workspace_id}:{uuid.uuid4()}"
        where = f"/subscriptions/{self.subscription}/providers/{PROVIDER}/locations/{LOCATION}"
        operation = MfeOperation(name, f"{where}/mfeOperationsStatus/{name}", stamp())
        self.held[name] = operation
        task = asyncio.get_running_loop().create_task(self._followed(operation, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return operation

    async def _followed(self, operation: MfeOperation, work: Coroutine[None, None, str | None]) -> None:
        try:
            operation.failure = await work
        except Exception as error:
            self.troubles.append(error)
            operation.failure = f"InternalServerError: {type(error).__name__}"
        operation.ended_at = stamp()
        operation.state = "Succeeded" if operation.failure is None else "Failed"

    def unsigned(self, operation: MfeOperation, version: str) -> str:
        """The address that a resource shows, which nobody can ask."""
        return f"{self.base}{operation.path}?api-version={version}"

    def _signed(self, path: str, version: str) -> str:
        ticks = "638762499727322290"
        proof = hmac.new(self._secret, f"{path}{ticks}".encode(), hashlib.sha256).digest()
        padding = base64.urlsafe_b64encode(proof * 8).decode().rstrip("=")
        mark = base64.urlsafe_b64encode(proof).decode().rstrip("=")
        query = f"api-version={version}&t={ticks}&c={quote(self._certificate)}&s={padding}&h={mark}"
        return f"{self.base}{path}?{query}"

    def headers(self, operation: MfeOperation, version: str, location: str = "") -> dict[str, str]:
        """What the answer that began it has; `location` is the path of what is made, empty for a deletion."""
        results = operation.path.replace("mfeOperationsStatus", "mfeOperationResults")
        found = {
            "azure-asyncoperation": self._signed(operation.path, version),
            "location": f"{self.base}{location}?api-version={version}" if location else self._signed(results, version),
            "x-ms-async-operation-timeout": "PT30M",
        }
        return {**found, **self._pace()}

    def _pace(self) -> dict[str, str]:
        after = self.delays.retry_after_s
        return {} if after is None else {"retry-after": str(after)}

    def answer(self, call: RestCall) -> RestAnswer:
        """A poll; `parts` are what follows the location: the kind of address and the name."""
        what, name = call.parts[0].lower(), call.parts[-1]
        operation = self.held.get(name)
        if operation is None:
            raise not_here(call.path)
        proof = hmac.new(self._secret, f"{call.path}{call.query.get('t', '')}".encode(), hashlib.sha256).digest()
        if call.query.get("h", "") != base64.urlsafe_b64encode(proof).decode().rstrip("="):
            raise RestRefusal(403, "AuthorizationFailed", "The signature of the operation's address is not valid.")
        if what == "mfeoperationsstatus":
            return RestAnswer(200, operation.document(), self._pace() if operation.ended_at == NEVER else {})
        if operation.ended_at == NEVER:
            location = {
                "location": f"{self.base}{call.path}?{'&'.join(f'{k}={quote(v)}' for k, v in call.query.items())}"
            }
            return RestAnswer(202, None, {**location, **self._pace()})
        return RestAnswer(204)

    async def stop(self) -> None:
        """End what goes on."""
        for one in (*self._tasks,):
            one.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
