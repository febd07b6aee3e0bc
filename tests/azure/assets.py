"""Versions of models and environments.

Recorded: both as below (model, environment, deployment-2025). Never recorded: a version whose files are others; the
words are the client's own, and the status is 400 as every refusal of its kind.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from tests.azure.calls import Json, RestAnswer, RestCall
from tests.azure.datastores import Datastores
from tests.azure.operations import PROVIDER
from tests.azure.place import USER, AzurePlace
from tests.azure.refusals import RestRefusal, user_error
from tests.azure.stamps import made_by_user, stamp


@dataclass(slots=True)
class Versions:
    """All versions of one kind of asset, in the order in which they were made."""

    place: AzurePlace
    kind: str
    held: dict[str, dict[str, Json]] = field(default_factory=dict)

    def get(self, name: str, version: str) -> Json | None:
        """One of them."""
        return self.held.get(name.lower(), {}).get(version)

    def by_id(self, path: str) -> Json | None:
        """The one that a path names, below the workspace or as `azureml:NAME:VERSION`."""
        parts = path.split("/")
        if len(parts) > 4:
            return self.get(parts[-3], parts[-1])
        words = path.removeprefix("azureml:").split(":")
        return self.get(words[0], words[-1]) if len(words) == 2 else None

    def keep(self, name: str, version: str, properties: Json) -> tuple[Json, bool]:
        """Write one; whether it is new. What was made keeps its date."""
        old = self.get(name, version)
        born = old["systemData"]["createdAt"] if old else stamp()
        body = {
            "id": self.place.path(self.kind, name, "versions", version),
            "name": version,
            "type": f"{PROVIDER}/workspaces/{self.kind}/versions",
            "properties": properties,
            "systemData": {**made_by_user(USER, born), "lastModifiedAt": stamp()},
        }
        self.held.setdefault(name.lower(), {})[version] = body
        return body, old is None

    def listed(self, name: str, call: RestCall) -> list[Json]:
        """Those of a name that are not anonymous, the newest first; as many as were asked for."""
        found = [one for one in self.held.get(name.lower(), {}).values() if not one["properties"]["isAnonymous"]]
        top = int(call.query.get("$top") or len(found) or 1)
        return found[::-1][:top]

    def names(self) -> list[Json]:
        """One entry for each name."""
        kind = f"{PROVIDER}/workspaces/{self.kind}"
        shown = [name for name, versions in self.held.items() if _public(versions)]
        return [{"id": self.place.path(self.kind, one), "name": one, "type": kind, "properties": {}} for one in shown]

    def container(self, name: str) -> Json | None:
        """A name, with the version that comes next."""
        versions = self.held.get(name.lower())
        if versions is None:
            return None
        numbers = [int(one) for one in versions if one.isdecimal()]
        properties = {
            "isArchived": False,
            "latestVersion": [*versions][-1],
            "nextVersion": str(max(numbers, default=0) + 1),
        }
        kind = f"{PROVIDER}/workspaces/{self.kind}"
        return {"id": self.place.path(self.kind, name), "name": name, "type": kind, "properties": properties}


def _public(versions: dict[str, Json]) -> bool:
    return any(not one["properties"]["isAnonymous"] for one in versions.values())


def common(properties: Json) -> Json:
    """The fields of a version of any kind."""
    shown = {name: properties.get(name) or {} for name in ("tags", "properties")}
    flags = {name: bool(properties.get(name)) for name in ("isArchived", "isAnonymous")}
    return {
        "description": properties.get("description"),
        **shown,
        **flags,
        "autoDeleteSetting": None,
        "provisioningState": "Succeeded",
        "stage": "Logged",
    }


def _no_model(name: str) -> RestRefusal:
    detail = ("ModelNotFound", f"Model container with name: {name} not found.")
    return user_error(404, "The specified resource was not found.", detail)


@dataclass(slots=True)
class Models:
    """Model versions, and where their files lie."""

    versions: Versions
    stores: Datastores

    def answer(self, call: RestCall) -> RestAnswer:
        """What is asked below `models`."""
        match call.method, call.parts[1:]:
            case "GET", []:
                return RestAnswer(200, {"value": self.versions.names()})
            case "GET", [name]:
                found = self.versions.container(name)
                if found is None:
                    raise _no_model(name)
                return RestAnswer(200, found)
            case "GET", [name, _]:
                if self.versions.container(name) is None:
                    raise _no_model(name)
                return RestAnswer(200, {"value": self.versions.listed(name, call)})
            case "GET", [name, _, version]:
                body = self.versions.get(name, version)
                if body is None:
                    raise _no_model(name)
                return RestAnswer(200, body)
            case "PUT", [name, _, version]:
                return self._put(name, version, call)
            case "DELETE", [name, _, version]:
                gone = self.versions.held.get(name.lower(), {}).pop(version, None)
                return RestAnswer(200 if gone else 204)
        raise user_error(405, f"{call.method} is not supported for this resource.")

    def _put(self, name: str, version: str, call: RestCall) -> RestAnswer:
        asked = call.body["properties"]
        uri = asked["modelUri"].replace("/resourcegroups/", "/resourceGroups/")
        old = self.versions.get(name, version)
        if old is not None and old["properties"]["modelUri"] != uri:
            raise user_error(400, "Asset paths cannot be updated.")
        own = {"flavors": asked.get("flavors") or {}, "modelType": asked.get("modelType"), "modelUri": uri}
        properties = {**common(asked), **own, "jobName": asked.get("jobName"), "intellectualProperty": None}
        body, new = self.versions.keep(name, version, properties)
        headers = {"location": f"{self.versions.place.base}{body['id']}?api-version={call.version}"} if new else {}
        return RestAnswer(201 if new else 200, body, headers)

    def files(self, path: str) -> Path | None:
        """Where the files of a version are, if they were uploaded."""
        body = self.versions.by_id(path)
        if body is None:
            return None
        store, _, rest = body["properties"]["modelUri"].partition("/datastores/")[2].partition("/paths/")
        container = self.stores.containers.get(store)
        found = self.stores.blobs.path(container, rest) if container else None
        return found if found is not None and found.exists() else None


@dataclass(slots=True)
class Environments:
    """Environment versions."""

    versions: Versions

    def answer(self, call: RestCall) -> RestAnswer:
        """What is asked below `environments`."""
        match call.method, call.parts[1:]:
            case "GET", []:
                return RestAnswer(200, {"value": self.versions.names()})
            case "GET", [name]:
                return RestAnswer(200, self._found(self.versions.container(name), name))
            case "GET", [name, _]:
                self._found(self.versions.container(name), name)
                return RestAnswer(200, {"value": self.versions.listed(name, call)})
            case "GET", [name, _, version]:
                return RestAnswer(200, self._found(self.versions.get(name, version), name))
            case "PUT", [name, _, version]:
                return self._put(name, version, call)
        raise user_error(405, f"{call.method} is not supported for this resource.")

    def _found(self, body: Json | None, name: str) -> Json:
        if body is None:
            raise user_error(404, f"Could not find environment: {name}", inner=("NotFoundError",))
        return body

    def _put(self, name: str, version: str, call: RestCall) -> RestAnswer:
        asked = call.body["properties"]
        conda = yaml.safe_load(asked["condaFile"]) if asked.get("condaFile") else None
        own = {
            "environmentType": "UserCreated",
            "image": asked.get("image"),
            "condaFile": None if conda is None else json.dumps(conda, indent=2),
            "inferenceConfig": asked.get("inferenceConfig"),
            "osType": asked.get("osType") or "Linux",
            "autoRebuild": "Disabled",
            "intellectualProperty": None,
        }
        body, _ = self.versions.keep(name, version, {**common(asked), **own})
        location = f"{self.versions.place.base}{body['id']}?api-version={call.version}"
        return RestAnswer(201, body, {"location": location})
