"""What a deployment is made of, put into a workspace: the model with its files, the packages, the code. Each once."""

import hashlib
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from core.domain.errors import Refused
from core.domain.model import Version
from core.targets.azureml import bodies
from core.targets.azureml.api_errors import AssetTaken, AzureMissing, Json
from core.targets.azureml.blobs import BlobUploads, default_store, given_store
from core.targets.azureml.calls import AzureCalls
from core.targets.azureml.code_folder import code_files, digest, files_of, packages
from core.targets.azureml.names import azure_name
from core.targets.azureml.workspace import (
    CODE_API,
    ENVIRONMENT_API,
    MODEL_API,
    PREFIX,
    AzureEndpoint,
    version_tags,
)

ENVIRONMENT = "quarterdeck-scoring"
CODE_FOLDER = "scoring"
FILES_TAG = f"{PREFIX}files"
"""A version's tag with the digest of its files: whether the one that is there is this one."""
T = TypeVar("T")


class WorkspaceAssets:
    """The assets of one endpoint. `do` makes a change when it is its turn; reads go beside it."""

    def __init__(self, at: AzureEndpoint, calls: AzureCalls, do: Callable[[Callable[[], T]], T]) -> None:
        self._at = at
        self._calls = calls
        self._do: Callable[[Callable[[], Any]], Any] = do
        self._uploads = BlobUploads(calls, at.ca)

    def ids(self, version: Version, folder: Path) -> Mapping[str, str]:
        """The ids of model, environment and code for a version, made where they are not there yet."""
        files = files_of(folder)
        conda = bodies.conda(*packages(folder, files))
        return {
            "model": self._model(version, files),
            "environment": self.environment(ENVIRONMENT, self._at.place.image, conda),
            "code": self.code(code_files()),
        }

    def close(self) -> None:
        """Let go of the connections."""
        self._uploads.close()

    def _model(self, version: Version, files: Mapping[str, bytes]) -> str:
        made, models = digest(files), f"{self._at.workspace}/models/{azure_name(version.model)}/versions"
        for number in self._numbers(version):
            if (found := self._read(f"{models}/{number}", MODEL_API)) is None:
                return self._registered(version, number, files, made)
            if ((found.get("properties") or {}).get("tags") or {}).get(FILES_TAG) == made:
                return str(found["id"])
        raise AssetTaken(
            f"azureml {self._at.place.workspace}: models/{azure_name(version.model)} {version.label} is there with "
            "other files, which no version changes; release a new version"
        )

    def _numbers(self, version: Version) -> list[str]:
        """Which number it may get: that of the run of CI; where two models are of one run, ours behind it."""
        run = self._at.run
        return [run, f"{run}-{version.number}"] if run else [version.number]

    def _registered(self, version: Version, number: str, files: Mapping[str, bytes], made: str) -> str:
        """A version that was not there: its files, then itself."""
        place = self._at.place
        right = default_store(self._calls, self._at.workspace, place)
        root = f"LocalUpload/{made}/model"
        for name in sorted(files):
            marks = {"upload_status": "completed", "name": azure_name(version.model), "version": number}
            self._do(partial(self._uploads.put, right, f"{root}/{name}", files[name], marks))
        group = f"subscriptions/{place.subscription}/resourcegroups/{place.resource_group}/workspaces/{place.workspace}"
        uri = f"azureml://{group}/datastores/workspaceblobstore/paths/{root}"
        tags = {**place.tags, **version_tags(version), FILES_TAG: made}
        body = bodies.model_version(uri, tags)
        path = f"{self._at.workspace}/models/{azure_name(version.model)}/versions/{number}"
        return str(self._do(lambda: self._calls.ask("PUT", path, MODEL_API, body)).body["id"])

    def environment(self, name: str, image: str, text: str) -> str:
        """The id of an environment of these packages upon an image, in the version that their digest names."""
        number = hashlib.sha256(f"{image}\n{text}".encode()).hexdigest()[:32]
        path = f"{self._at.workspace}/environments/{name}/versions/{number}"
        if (found := self._read(path, ENVIRONMENT_API)) is not None:
            return str(found["id"])
        body = bodies.environment_version(image, text)
        return str(self._do(lambda: self._calls.ask("PUT", path, ENVIRONMENT_API, body)).body["id"])

    def code(self, files: Mapping[str, bytes]) -> str:
        """The id of a folder of code; one with these files that is there already is taken."""
        made, name = digest(files), str(uuid.uuid4())
        path = f"{self._at.workspace}/codes/{name}/versions"
        by_hash = {"hash": made, "hashVersion": str(bodies.HASH_VERSION)}
        known = self._calls.ask("GET", path, CODE_API, query=by_hash).body.get("value") or []
        if known:
            return str(known[0]["id"])
        asked = {"pendingUploadType": "TemporaryBlobReference"}
        begun = self._do(lambda: self._calls.ask("POST", f"{path}/1/startPendingUpload", CODE_API, asked)).body
        given = begun.get("blobReferenceForConsumption") or {}
        right = given_store(str((given.get("credential") or {}).get("sasUri") or ""))
        if not right.url.startswith("https://"):
            raise Refused(f"azureml {self._at.place.workspace}: no place for the code was given; try again")
        for file in sorted(files):
            marks = {"upload_status": "completed", "name": name, "version": "1"}
            self._do(partial(self._uploads.put, right, f"{CODE_FOLDER}/{file}", files[file], marks))
        uri = f"{str(given.get('blobUri') or right.url).rstrip('/')}/{CODE_FOLDER}"
        body = bodies.code_version(uri, made)
        return str(self._do(lambda: self._calls.ask("PUT", f"{path}/1", CODE_API, body)).body["id"])

    def _read(self, path: str, api: str) -> Json | None:
        try:
            return self._calls.ask("GET", path, api).body
        except AzureMissing:
            return None
