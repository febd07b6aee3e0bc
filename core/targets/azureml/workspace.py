"""An endpoint as a workspace knows it, and the paths of everything in it. Pure."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from core.config import several
from core.config.config import endpoint_name, state_folder
from core.config.serving import EndpointSettings
from core.config.settings import Settings
from core.domain.errors import BadInput
from core.domain.model import Slot, Version
from core.targets.azureml.names import azure_name
from core.targets.azureml.settings import AzureMLSettings
from core.targets.azureml.variables import named_ca

SERVICE = "Microsoft.MachineLearningServices"
ENDPOINT_API = "2022-02-01-preview"
DEPLOYMENT_API = "2023-04-01-preview"
WORKSPACE_API = DATASTORE_API = "2024-10-01-preview"
MODEL_API = "2023-08-01-preview"
ENVIRONMENT_API = "2023-04-01-preview"
CODE_API = "2023-04-01"
PERMISSIONS_API = "2022-04-01"
PROVIDER_API = "2021-04-01"
COMPUTE_API = "2023-04-01"
PREFIX = "quarterdeck-"
"""All of our tags begin so."""
_VERSION = ("model", "number", "run_id", "uri", "digest")
LONGEST_TAG = 256


@dataclass(frozen=True, slots=True)
class AzureEndpoint:
    """An endpoint: `name` is Azure's, `called` the project's, `folder` where what is under way is written down.

    `run` is the number of the run of CI that asks, if it is one; `ca` a file of authorities to trust besides.
    """

    name: str
    called: str
    endpoint: EndpointSettings
    place: AzureMLSettings
    folder: Path
    run: str = ""
    ca: str = ""

    @property
    def workspace(self) -> str:
        """The path of the workspace."""
        place = self.place
        group = f"/subscriptions/{place.subscription}/resourceGroups/{place.resource_group}"
        return f"{group}/providers/{SERVICE}/workspaces/{place.workspace}"

    @property
    def path(self) -> str:
        """The path of the endpoint."""
        return f"{self.workspace}/onlineEndpoints/{self.name}"

    def deployment(self, slot: Slot | None = None) -> str:
        """The path of a slot's deployment, or of all of them."""
        return f"{self.path}/deployments" if slot is None else f"{self.path}/deployments/{slot}"


def azure_endpoint(settings: Settings, environ: Mapping[str, str] | None = None) -> AzureEndpoint:
    """The endpoint of these settings, as this shell's variables reach it, or others; raises BadInput."""
    place = getattr(settings, "azureml", None)
    if not isinstance(place, AzureMLSettings):
        raise BadInput(
            "azureml: is not set; write 'azureml: {subscription: ID, resource_group: NAME, workspace: NAME}'"
        )
    called = endpoint_name(settings)
    folder = state_folder(settings) / "azureml"
    name = azure_name(several.called(place.name, settings.environment) if place.name else called)
    ca = named_ca(os.environ if environ is None else environ)
    return AzureEndpoint(name, called, settings.endpoint, place, folder, ca=ca)


def no_workspace(at: AzureEndpoint) -> str:
    """What to do where there is none, in a line."""
    return (
        f"azureml {at.place.workspace}: there is no such workspace in the group {at.place.resource_group}; check "
        "azureml.subscription, resource_group and workspace, or make it: 'quarterdeck azure setup'"
    )


def no_cluster(at: AzureEndpoint) -> str:
    """What to do where nothing is there to train on, in a line."""
    return (
        f"azureml {at.place.workspace}: there is no compute cluster {at.place.cluster.name}; make it: 'quarterdeck "
        "azure setup', or name one that is there in azureml.cluster.name"
    )


def version_tags(version: Version) -> dict[str, str]:
    """All that is known of a version as tags, which `tagged_version` reads back."""
    known = {name: str(getattr(version, name)) for name in _VERSION}
    return {f"{PREFIX}{name.replace('_', '-')}": value[:LONGEST_TAG] for name, value in known.items() if value}


def tagged_version(tags: dict[str, str] | None) -> Version | None:
    """The version that tags name; None where they name none."""
    found = {name: (tags or {}).get(f"{PREFIX}{name.replace('_', '-')}", "") for name in _VERSION}
    return Version(**found) if found["model"] and found["number"] else None
