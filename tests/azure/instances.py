"""From what a deployment asks to what its instances run."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path

from tests.azure.assets import Environments, Models
from tests.azure.calls import Json
from tests.azure.codes import Codes
from tests.azure.containers import FOLDER, SCRIPT, ContainerPlan, ContainerProgram, copied
from tests.azure.delays import AzureDelays
from tests.azure.serving import PROBE, OnlineDeployment


@dataclass(slots=True)
class Instances:
    """`programs` say what an image runs; `folder` is where models are mounted."""

    models: Models
    environments: Environments
    codes: Codes
    delays: AzureDelays
    folder: Path
    programs: dict[str, ContainerProgram] = field(default_factory=dict)
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    def plan(self, deployment: OnlineDeployment) -> ContainerPlan:
        """What each instance runs."""
        asked = deployment.properties
        model = self._model(asked)
        configured = asked.get("codeConfiguration") or {}
        code = self.codes.files(configured.get("codeId") or "")
        script = code / configured["scoringScript"] if code is not None else None
        variables = {key: str(one) for key, one in (asked.get("environmentVariables") or {}).items()}
        if script is not None:
            variables |= {"AML_APP_ROOT": str(code), "AZUREML_ENTRY_SCRIPT": configured["scoringScript"]}
        if model is not None:
            variables["AZUREML_MODEL_DIR"] = str(model.parent)
        program, served = self._program(asked), model
        if program is None and script is not None and script.is_file():
            program = SCRIPT
        elif program is None and model is not None:
            served = next((path.parent for path in sorted(model.glob("**/model.json"))), None)
            program = FOLDER if served is not None else None
        probe = deployment.settings("readinessProbe", PROBE)
        period_s, begins_s = seconds(probe["period"]), seconds(probe["initialDelay"])
        patience_s = (begins_s + period_s * int(probe["failureThreshold"])) / self.delays.speed
        return ContainerPlan(program, variables, served, script, max(patience_s, 10.0), 0.1)

    def pretended(self) -> ContainerPlan:
        """A container of no program."""
        return ContainerPlan(None, {})

    def _environment(self, asked: Json) -> Json:
        found = self.environments.versions.by_id(asked.get("environmentId") or "")
        settings: Json = found["properties"] if found else {}
        return settings

    def _program(self, asked: Json) -> ContainerProgram | None:
        return self.programs.get(self._environment(asked).get("image") or "")

    def _model(self, asked: Json) -> Path | None:
        path = asked.get("model") or ""
        source = self.models.files(path)
        if source is None:
            return None
        body = self.models.versions.by_id(path)
        assert body is not None
        name, version = body["id"].split("/")[-3], body["name"]
        return copied(source, self.folder / name / version)

    def score_path(self, deployment: OnlineDeployment) -> str:
        """Where the container takes predictions: the environment says, else as its program does."""
        config = self._environment(deployment.properties).get("inferenceConfig") or {}
        route = (config.get("scoringRoute") or {}).get("path")
        program = deployment.containers[0].plan.program if deployment.containers else None
        return str(route or (program.score if program else "/score"))

    def begin(self, work: Coroutine[None, None, None]) -> None:
        """Something that goes on by itself."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """End what goes on."""
        for one in (*self._tasks,):
            one.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def seconds(duration: str) -> float:
    """Of `PT1M30S` and the like."""
    total, number = 0.0, ""
    for letter in duration.removeprefix("P").replace("T", ""):
        if letter.isdigit() or letter == ".":
            number += letter
        else:
            total += float(number) * {"D": 86400, "H": 3600, "M": 60, "S": 1}[letter]
            number = ""
    return total
