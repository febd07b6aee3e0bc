"""`python -m tests.azure.sdk_release FOLDER`: a release and its end by Microsoft's own client, unmodified.

FOLDER holds `v1`, `v2` (models) and `code` (with score.py). Where the stand-in is says the environment. Each step is a
line of JSON. It runs in a process of its own: the client knows a cloud's name once, and prints dots while it waits.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from azure.ai.ml import MLClient
from azure.ai.ml.entities import (
    CodeConfiguration,
    Environment,
    ManagedOnlineDeployment,
    ManagedOnlineEndpoint,
    Model,
)
from azure.core.exceptions import HttpResponseError
from azure.identity import DefaultAzureCredential

NAME = "sides-sdk"
IMAGE = "registry.example/sides:1"
CONDA = {"name": "sides", "channels": ["conda-forge"], "dependencies": ["python=3.11", {"pip": ["orjson"]}]}


def say(step: str, found: Any) -> None:
    """One line."""
    sys.stdout.write(f"\n{json.dumps({'step': step, 'found': found})}\n")
    sys.stdout.flush()


def client(credential: Any) -> MLClient:
    """The client, pointed at the stand-in."""
    names = ("AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", "AZURE_WORKSPACE_NAME")
    cloud = json.loads(os.environ["AZURE_STAND_IN_CLOUD"])
    where = [os.environ[one] for one in names]
    return MLClient(credential, *where, cloud="StandIn", cloud_metadata=cloud, enable_telemetry=False)


class Release:
    """The steps, each said once it is done."""

    def __init__(self, ml: MLClient, folder: Path) -> None:
        self.ml, self.folder = ml, folder

    def deploy(self, slot: str, version: str) -> None:
        """A model's version in a slot."""
        model = self.ml.models.create_or_update(Model(path=self.folder / f"v{version}", name="sides", version=version))
        deployment = ManagedOnlineDeployment(
            name=slot,
            endpoint_name=NAME,
            model=model,
            environment=Environment(image=IMAGE, conda_file=CONDA),
            code_configuration=CodeConfiguration(code=str(self.folder / "code"), scoring_script="score.py"),
            instance_type="Standard_DS3_v2",
            instance_count=1,
        )
        made = self.ml.online_deployments.begin_create_or_update(deployment).result()
        say(
            f"deployed v{version}", [made.provisioning_state, made.instance_count, made.model.rsplit("/models/", 1)[-1]]
        )

    def route(self, step: str, traffic: dict[str, int], mirror: dict[str, int] | None = None) -> None:
        """Change shares, the way the client's documentation does it."""
        endpoint = self.ml.online_endpoints.get(NAME)
        endpoint.traffic, endpoint.mirror_traffic = traffic, mirror or {}
        changed = self.ml.online_endpoints.begin_create_or_update(endpoint).result()
        say(step, [changed.traffic, changed.mirror_traffic, self.ask()["version"]])

    def ask(self, slot: str | None = None) -> Any:
        """A prediction, by the client."""
        request = self.folder / "request.json"
        request.write_text('{"dataframe_records": [{"left": 1, "right": 2}]}')
        answer = self.ml.online_endpoints.invoke(NAME, deployment_name=slot, request_file=str(request))
        return json.loads(answer)

    def ended(self) -> None:
        """Blue and the endpoint deleted."""
        self.ml.online_deployments.begin_delete("blue", NAME).result()
        say("left", [one.name for one in self.ml.online_deployments.list(NAME)])
        self.ml.online_endpoints.begin_delete(NAME).result()
        try:
            self.ml.online_endpoints.get(NAME)
        except HttpResponseError as error:
            say("gone", error.status_code)


def main() -> None:
    """All of it."""
    ml = client(DefaultAzureCredential())
    release = Release(ml, Path(sys.argv[1]))
    made = ml.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name=NAME, auth_mode="key")).result()
    say("endpoint", [made.provisioning_state, made.scoring_uri.endswith("/score"), made.traffic])
    release.deploy("blue", "1")
    release.route("released", {"blue": 100})
    release.deploy("green", "2")
    release.route("mirrored", {"blue": 100}, {"green": 50})
    say("copied", [release.ask()["version"] for _ in range(20)])
    release.route("canary", {"blue": 90, "green": 10})
    release.route("rolled back", {"blue": 100, "green": 0})
    log = ml.online_deployments.get_logs("blue", NAME, lines=50)
    say("log", "Scoring script has loaded" in log)
    release.route("promoted", {"green": 100, "blue": 0})
    # The client goes on sending the header of a pinned request, so it comes last.
    say("pinned", release.ask("blue")["version"])
    release.ended()


if __name__ == "__main__":
    main()
