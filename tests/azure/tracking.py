"""The workspace's MLflow tracking over REST: runs and what they logged, a run of each job under the job's own name.

Never recorded: all of it; calls and answers are those of MLflow's own REST 2.0. There are no artifacts.
"""

import secrets
import time
from dataclasses import dataclass, field

from tests.azure.calls import Json, RestAnswer, RestCall

MARK = "/api/2.0/mlflow/"


@dataclass(slots=True)
class TrackedRun:
    """One run."""

    run_id: str
    experiment_id: str
    name: str = ""
    status: str = "RUNNING"
    started_ms: int = field(default_factory=lambda: round(time.time() * 1000))
    ended_ms: int | None = None
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    metrics: list[Json] = field(default_factory=list)

    def info(self) -> Json:
        """What it is."""
        known = {"run_id": self.run_id, "run_uuid": self.run_id, "experiment_id": self.experiment_id}
        times = {"start_time": self.started_ms, **({} if self.ended_ms is None else {"end_time": self.ended_ms})}
        rest = {"run_name": self.name, "status": self.status, "lifecycle_stage": "active", "user_id": ""}
        return {**known, **times, **rest, "artifact_uri": f"azureml://artifacts/ExperimentRun/dcid.{self.run_id}"}

    def end(self, status: str) -> None:
        """Over, if its program did not say so itself."""
        if self.ended_ms is None:
            self.status, self.ended_ms = status, round(time.time() * 1000)

    def document(self) -> Json:
        """All of it, each metric as it was last."""
        last = {one["key"]: one for one in self.metrics}
        params = [{"key": key, "value": one} for key, one in self.params.items()]
        tags = [{"key": key, "value": one} for key, one in self.tags.items()]
        return {"info": self.info(), "data": {"metrics": [*last.values()], "params": params, "tags": tags}}


@dataclass(slots=True)
class TrackingServer:
    """All runs of the workspace."""

    experiments: dict[str, str] = field(default_factory=dict)
    runs: dict[str, TrackedRun] = field(default_factory=dict)

    def begin(self, experiment: str, run_id: str = "", name: str = "") -> TrackedRun:
        """A new run; a job's has the name of the job."""
        number = self.experiments.setdefault(experiment, str(len(self.experiments) + 1))
        run = TrackedRun(run_id or secrets.token_hex(16), number, name)
        self.runs[run.run_id] = run
        return run

    def answer(self, call: RestCall) -> RestAnswer:
        """One call of MLflow's REST."""
        what = call.path.partition(MARK)[2]
        asked: Json = {**call.query, **call.body}
        match what.split("/"):
            case ["experiments", verb]:
                return self._experiment(verb, asked)
            case ["runs", "create"]:
                return self._create(asked)
            case ["runs", "search"]:
                wanted = set(asked.get("experiment_ids") or self.experiments.values())
                found = [one.document() for one in self.runs.values() if one.experiment_id in wanted]
                return RestAnswer(200, {"runs": found})
            case ["runs", verb]:
                return self._run(verb, asked)
            case ["metrics", "get-history"]:
                run = self.runs.get(str(asked.get("run_id")))
                metrics = [one for one in run.metrics if one["key"] == asked.get("metric_key")] if run else []
                return RestAnswer(200, {"metrics": metrics})
        return RestAnswer(404, {"error_code": "ENDPOINT_NOT_FOUND", "message": f"{what} is not served."})

    def _experiment(self, verb: str, asked: Json) -> RestAnswer:
        if verb == "create":
            if asked["name"] in self.experiments:
                said = f"Experiment '{asked['name']}' already exists."
                return RestAnswer(400, {"error_code": "RESOURCE_ALREADY_EXISTS", "message": said})
            number = self.experiments.setdefault(asked["name"], str(len(self.experiments) + 1))
            return RestAnswer(200, {"experiment_id": number})
        for name, number in self.experiments.items():
            if asked.get("experiment_name") == name or asked.get("experiment_id") == number:
                known = {"experiment_id": number, "name": name, "lifecycle_stage": "active", "artifact_location": ""}
                return RestAnswer(200, {"experiment": known})
        return _nothing("experiment", asked.get("experiment_name") or asked.get("experiment_id"))

    def _create(self, asked: Json) -> RestAnswer:
        names = {number: name for name, number in self.experiments.items()}
        experiment = names.get(str(asked.get("experiment_id")), "Default")
        run = self.begin(experiment, name=asked.get("run_name") or "")
        run.tags |= {one["key"]: one["value"] for one in asked.get("tags") or ()}
        return RestAnswer(200, {"run": run.document()})

    def _run(self, verb: str, asked: Json) -> RestAnswer:
        run = self.runs.get(str(asked.get("run_id") or asked.get("run_uuid")))
        if run is None:
            return _nothing("run", asked.get("run_id"))
        match verb:
            case "get":
                return RestAnswer(200, {"run": run.document()})
            case "update":
                run.status, run.name = asked.get("status") or run.status, asked.get("run_name") or run.name
                run.ended_ms = int(asked["end_time"]) if asked.get("end_time") else run.ended_ms
                return RestAnswer(200, {"run_info": run.info()})
            case "log-metric":
                _log(run, {"metrics": [asked]})
            case "log-parameter":
                _log(run, {"params": [asked]})
            case "set-tag":
                _log(run, {"tags": [asked]})
            case "log-batch":
                _log(run, asked)
            case _:
                return RestAnswer(404, {"error_code": "ENDPOINT_NOT_FOUND", "message": f"runs/{verb} is not served."})
        return RestAnswer(200, {})


def _log(run: TrackedRun, asked: Json) -> None:
    fields = ("key", "value", "timestamp", "step")
    run.metrics += [{name: one[name] for name in fields if name in one} for one in asked.get("metrics") or ()]
    run.params |= {one["key"]: one["value"] for one in asked.get("params") or ()}
    run.tags |= {one["key"]: one["value"] for one in asked.get("tags") or ()}


def _nothing(what: str, name: object) -> RestAnswer:
    return RestAnswer(404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": f"No such {what}: '{name}'"})
