"""Pipeline jobs: their nodes run one after the other as jobs of their own. Never recorded: anything of it but how a
pipeline that names no component is refused. An output that has a name becomes a model's version.
"""

import re
from dataclasses import dataclass

from tests.azure.assets import Models, common
from tests.azure.calls import Json
from tests.azure.components import Components
from tests.azure.job import AzureJob
from tests.azure.jobs import Jobs

STORE = "azureml://datastores/workspaceblobstore/paths"
_PARENT = re.compile(r"\$\{\{\s*parent\.(?:inputs\.(\w+)|jobs\.(\w+)\.outputs\.(\w+))\s*\}\}")


@dataclass(slots=True)
class PipelineRuns:
    """How a pipeline runs over the rooms of a workspace. The client writes nodes in the order of their needs."""

    jobs: Jobs
    components: Components
    models: Models

    def check(self, asked: Json) -> None:
        """Refuse one whose components are not all there."""
        for node in asked["jobs"].values():
            self.components.known(node["componentId"])

    async def run(self, job: AzureJob) -> str:
        """Its nodes, until one fails; the state that the pipeline ends in."""
        left: dict[tuple[str, str], str] = {}
        for name, node in job.asked["jobs"].items():
            child = self._child(job, name, node, left)
            self.jobs.held[child.name] = child
            await self.jobs.through(child)
            if child.state != "Completed":
                job.error = f"{name} ended as {child.state}"
                return "Failed"
            for output, uri in self._outputs(child).items():
                left[name, output] = uri
                if called := (node.get("outputs") or {}).get(output, {}).get("name"):
                    self._registered(called, uri, str(node["outputs"][output]["job_output_type"]))
        return "Completed"

    def _child(self, job: AzureJob, name: str, node: Json, left: dict[tuple[str, str], str]) -> AzureJob:
        spec = self.components.known(node["componentId"])["properties"]["componentSpec"]

        def wired(value: str) -> str:
            found = _PARENT.fullmatch(value)
            if found is None:
                return value
            return str(job.asked["inputs"][found[1]]["uri"]) if found[1] else left[found[2], found[3]]

        called = f"{job.name}-{name}"
        asked = {
            "jobType": "Command",
            "command": spec["command"],
            "codeId": str(spec["code"]).removeprefix("azureml:"),
            "computeId": (job.asked.get("settings") or {}).get("default_compute") or "",
            "experimentName": job.asked.get("experimentName"),
            "inputs": {key: {"uri": wired(one["value"])} for key, one in node["inputs"].items()},
            "outputs": {key: {"uri": f"{STORE}/azureml/{called}/{key}"} for key in spec["outputs"]},
        }
        return AzureJob(self.models.versions.place.path("jobs", called), called, asked)

    def _outputs(self, child: AzureJob) -> dict[str, str]:
        return {name: str(one["uri"]) for name, one in child.asked["outputs"].items()}

    def _registered(self, name: str, uri: str, kind: str) -> None:
        container = self.models.versions.container(name)
        number = container["properties"]["nextVersion"] if container else "1"
        own: Json = {"flavors": {}, "modelType": kind, "modelUri": uri, "jobName": None}
        self.models.versions.keep(name, number, {**common({}), **own})
