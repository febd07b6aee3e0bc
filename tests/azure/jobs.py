"""Jobs: a command run as a process of this machine, its states, its log and its cancel.

Recorded: PUT, an unknown field, a cancel that comes too late. Never recorded: the states between Starting and the
end, a cancel in time and what its Location answers, the run's details, a failed run. Inputs that are paths of the
datastore are put where they lie; any other input is its address. Jobs of another kind than Command are kept and never
run.
"""

import asyncio
import os
import re
import shutil
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.azure.blobs import BlobStore
from tests.azure.calls import Json, RestAnswer, RestCall
from tests.azure.codes import Codes
from tests.azure.computes import ComputeClusters
from tests.azure.containers import HOME
from tests.azure.datastores import ARTIFACTS, Datastores
from tests.azure.delays import AzureDelays
from tests.azure.job import ENDED, AzureJob, Pipelines
from tests.azure.job_documents import KNOWN, job_document, run_details
from tests.azure.place import AzurePlace
from tests.azure.refusals import RestRefusal, user_error
from tests.azure.stamps import stamp
from tests.azure.tracking import TrackingServer

_OUTCOMES = {"Completed": "FINISHED", "Failed": "FAILED", "Canceled": "KILLED"}
LOG = "user_logs/std_log.txt"


@dataclass(slots=True)
class Jobs:
    """All of the workspace's. `folder` is where they run; `lent` are variables that each has."""

    place: AzurePlace
    delays: AzureDelays
    codes: Codes
    stores: Datastores
    clusters: ComputeClusters
    tracking: TrackingServer
    folder: Path
    lent: dict[str, str] = field(default_factory=dict)
    pipelines: Pipelines | None = None
    held: dict[str, AzureJob] = field(default_factory=dict)

    @property
    def blobs(self) -> BlobStore:
        """Where logs go."""
        return self.stores.blobs

    def answer(self, call: RestCall) -> RestAnswer:
        """What is asked below `jobs`."""
        match call.method, call.parts[1:]:
            case "GET", []:
                return RestAnswer(200, {"value": [self._document(one) for one in self.held.values()]})
            case "GET", [name]:
                return RestAnswer(200, self._document(self.known(name)))
            case "PUT", [name]:
                return self._put(name, call)
            case "POST", [name, action] if action.lower() == "cancel":
                return self._cancel(self.known(name), call)
            case "GET", [name, "cancelResults"]:
                return self._cancelled(self.known(name), call)
        raise user_error(405, f"{call.method} is not supported for this resource.")

    def known(self, name: str) -> AzureJob:
        """The job of this name, or 404."""
        found = self.held.get(name)
        if found is None:
            said = f"Run {name} was not found"
            raise user_error(404, said, inner=("NotFoundError", "RunNotFound"))
        return found

    def _document(self, job: AzureJob) -> Json:
        return job_document(self.place, job.path, job.name, job.asked, job.state, job.created_at)

    def _put(self, name: str, call: RestCall) -> RestAnswer:
        asked = call.body["properties"]
        unknown = [one for one in asked if one not in KNOWN]
        if unknown:
            said = f"Could not find member '{unknown[0]}' on object of type 'CommandJob'. Path '{unknown[0]}', line 1."
            message = "Request is invalid and/or missing fields."
            raise user_error(400, message, ("RequestInvalid", said), inner=("RequestInvalid",))
        if name in self.held:
            raise user_error(400, f"A job with this name already exists: {name}.")
        compute = str(asked.get("computeId") or "").rsplit("/", 1)[-1]
        if compute and compute.lower() not in self.clusters.held:
            raise user_error(400, f"Unknown compute target '{compute}'.", inner=("BadArgument",))
        job = AzureJob(self.place.path("jobs", name), name, asked)
        if asked.get("jobType") == "Pipeline" and self.pipelines is not None:
            self.pipelines.check(asked)
            job.task = asyncio.get_running_loop().create_task(self._nodes(job, self.pipelines))
        self.held[name] = job
        if asked.get("jobType") == "Command":
            job.task = asyncio.get_running_loop().create_task(self.through(job))
        headers = {"location": f"{self.place.base}{job.path}?api-version={call.version}"}
        return RestAnswer(201, self._document(job), headers)

    async def _nodes(self, job: AzureJob, pipelines: Pipelines) -> None:
        job.state, job.started_at = "Running", stamp()
        self._end(job, await pipelines.run(job))

    async def through(self, job: AzureJob) -> None:
        """One command from its begin to its end."""
        for state in ("Starting", "Provisioning", "Preparing", "Queued"):
            job.state = state
            with suppress(TimeoutError):
                async with asyncio.timeout(self.delays.job_s):
                    await job.told.wait()
            if job.told.is_set():
                return self._end(job, "Canceled")
        job.state, job.started_at = "Running", stamp()
        self.tracking.begin(str(job.asked.get("experimentName") or "Default"), job.name, job.name)
        cluster = self.clusters.held.get(str(job.asked.get("computeId") or "").rsplit("/", 1)[-1].lower())
        if cluster is not None:
            cluster.busy += 1
        try:
            code = await self._process(job)
        finally:
            if cluster is not None:
                cluster.busy -= 1
        if job.told.is_set():
            return self._end(job, "Canceled")
        job.state = "Finalizing"
        await asyncio.sleep(self.delays.job_s)
        if code:
            job.error = f"Execution failed. User process exited with status code {code}. Please check log file '{LOG}'."
        return self._end(job, "Failed" if code else "Completed")

    def _end(self, job: AzureJob, state: str) -> None:
        job.state, job.ended_at = state, stamp()
        if (run := self.tracking.runs.get(job.name)) is not None:
            run.end(_OUTCOMES[state])

    async def _process(self, job: AzureJob) -> int:
        folder = self.folder / job.name
        source = self.codes.files(job.asked.get("codeId") or "")
        if source is not None:
            shutil.copytree(source if source.is_dir() else source.parent, folder)
        folder.mkdir(parents=True, exist_ok=True)
        container = self.stores.containers[ARTIFACTS]
        log = f"ExperimentRun/dcid.{job.name}/{LOG}"
        self.blobs.write(container, log, b"")
        variables = {key: str(one) for key, one in (job.asked.get("environmentVariables") or {}).items()}
        with self.blobs.path(container, log).open("ab") as out:
            process = await asyncio.create_subprocess_exec(
                "/bin/sh",
                "-c",
                self._command(job, folder),
                cwd=folder,
                env={**os.environ, **self._lent(job), **variables},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        ending = asyncio.create_task(process.wait())
        told = asyncio.create_task(job.told.wait())
        try:
            await asyncio.wait({ending, told}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL if process.returncode is None else 0)
            told.cancel()
            await process.wait()
        self._take_away(job, folder)
        return process.returncode or 0

    def _take_away(self, job: AzureJob, folder: Path) -> None:
        """What lies in outputs that have a path in the store goes there."""
        for name, one in (job.asked.get("outputs") or {}).items():
            store, _, rest = str(one.get("uri") or "").partition("/datastores/")[2].partition("/paths/")
            container, left = self.stores.containers.get(store), folder / "outputs" / name
            for path in sorted(left.rglob("*")) if container else ():
                if path.is_file():
                    place = f"{rest.rstrip('/')}/{path.relative_to(left).as_posix()}"
                    self.blobs.write(str(container), place, path.read_bytes())

    def _lent(self, job: AzureJob) -> dict[str, str]:
        """What the service puts into a job's environment: whose run it is, where it is tracked."""
        where = f"azureml://{self.place.base.removeprefix('https://')}/mlflow/v1.0{self.place.workspace}"
        names = {"AZUREML_RUN_ID": job.name, "MLFLOW_RUN_ID": job.name, "MLFLOW_TRACKING_URI": where}
        experiment = {"MLFLOW_EXPERIMENT_NAME": str(job.asked.get("experimentName") or "Default")}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        return {"PATH": path, "PYTHONPATH": str(HOME), **self.lent, **names, **experiment}

    def _command(self, job: AzureJob, folder: Path) -> str:
        """The command with its inputs and outputs in place of `${{inputs.…}}` and `${{outputs.…}}`."""
        outputs = {one: str(folder / "outputs" / one) for one in job.asked.get("outputs") or {}}
        for one in outputs.values():
            Path(one).mkdir(parents=True, exist_ok=True)
        found = {"inputs": self._inputs(job), "outputs": outputs}

        def put(match: "re.Match[str]") -> str:
            return found[match[1]].get(match[2], match[0])

        return re.sub(r"\$\{\{\s*(inputs|outputs)\.(\w+)\s*\}\}", put, str(job.asked.get("command", "")))

    def _inputs(self, job: AzureJob) -> dict[str, str]:
        found = {}
        for name, one in (job.asked.get("inputs") or {}).items():
            said = str(one.get("value", one.get("uri", "")))
            store, _, rest = said.partition("/datastores/")[2].partition("/paths/")
            container = self.stores.containers.get(store)
            found[name] = str(self.blobs.path(container, rest)) if container else said
        return found

    def _cancel(self, job: AzureJob, call: RestCall) -> RestAnswer:
        if job.state in ENDED:
            said = f"The run {job.name} is in terminal status, it can't be canceled."
            raise user_error(400, said, inner=("BadArgument", "ArgumentInvalid", "CancelRunInTerminalStatus"))
        job.state = "CancelRequested"
        job.told.set()
        return RestAnswer(202, None, self._still(job, call))

    def _still(self, job: AzureJob, call: RestCall) -> dict[str, str]:
        after = self.delays.retry_after_s
        where = f"{self.place.base}{job.path}/cancelResults?api-version={call.version}"
        return {"location": where, **({} if after is None else {"retry-after": str(after)})}

    def _cancelled(self, job: AzureJob, call: RestCall) -> RestAnswer:
        return RestAnswer(200) if job.state in ENDED else RestAnswer(202, None, self._still(job, call))

    def history(self, call: RestCall) -> RestAnswer:
        """`/history/v1.0/…/runs/NAME/details`."""
        name = call.path.rsplit("/", 2)[-2]
        job = self.held.get(name)
        if job is None or not call.path.endswith("/details"):
            raise RestRefusal(404, "UserError", f"Run {name} was not found", service=True)
        container, log = self.stores.containers[ARTIFACTS], f"ExperimentRun/dcid.{name}/{LOG}"
        logs = {LOG: f"{self.blobs.url}/{container}/{log}?{self.blobs.sas()}"} if job.started_at else {}
        return RestAnswer(200, run_details(name, job.state, job.started_at, job.ended_at, job.error, logs))

    def log(self, name: str) -> str:
        """What a job has said."""
        path = self.blobs.path(self.stores.containers[ARTIFACTS], f"ExperimentRun/dcid.{name}/{LOG}")
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""

    async def stop(self) -> None:
        """End what runs."""
        tasks = [one.task for one in self.held.values() if one.task is not None]
        for one in self.held.values():
            one.told.set()
        await asyncio.gather(*tasks, return_exceptions=True)
