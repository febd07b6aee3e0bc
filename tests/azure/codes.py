"""Code, found by its hash and uploaded to a container of its own. Recorded: the look by hash (deployment-2025) and a
version (deployment-create). Never recorded: startPendingUpload; its shape is what the client reads."""

import secrets
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from tests.azure.assets import Versions, common
from tests.azure.blobs import BlobStore
from tests.azure.calls import Json, RestAnswer, RestCall
from tests.azure.refusals import user_error


@dataclass(slots=True)
class Codes:
    """Code versions and the containers that were lent for them."""

    versions: Versions
    blobs: BlobStore
    lent: dict[str, str] = field(default_factory=dict)

    def answer(self, call: RestCall) -> RestAnswer:
        """What is asked below `codes`."""
        match call.method, call.parts[1:]:
            case "GET", [name, _]:
                return RestAnswer(200, {"value": self._by_hash(call) or self.versions.listed(name, call)})
            case "GET", [name, _, version]:
                body = self.versions.get(name, version)
                if body is None:
                    raise user_error(404, f"Could not find code: {name}", inner=("NotFoundError",))
                return RestAnswer(200, body)
            case "POST", [name, _, version, _]:
                return self._lend(name, version)
            case "PUT", [name, _, version]:
                return self._put(name, version, call)
        raise user_error(405, f"{call.method} is not supported for this resource.")

    def _by_hash(self, call: RestCall) -> list[Json]:
        wanted = call.query.get("hash")
        every = (body for versions in self.versions.held.values() for body in versions.values())
        return [one for one in every if wanted and one["properties"]["properties"].get("hash_sha256") == wanted]

    def _lend(self, name: str, version: str) -> RestAnswer:
        container = f"{uuid.uuid4()}-{secrets.token_hex(13)}"
        (self.blobs.folder / container).mkdir(parents=True)
        self.lent[f"{name}/{version}"] = container
        uri = f"{self.blobs.url}/{container}"
        credential = {"sasUri": f"{uri}?{self.blobs.sas()}", "credentialType": "SAS"}
        place = {"blobUri": uri, "storageAccountArmId": "", "credential": credential}
        body = {"pendingUploadId": str(uuid.uuid4()), "pendingUploadType": "TemporaryBlobReference"}
        return RestAnswer(200, {**body, "blobReferenceForConsumption": place})

    def _put(self, name: str, version: str, call: RestCall) -> RestAnswer:
        asked = call.body["properties"]
        properties = {**common(asked), "isAnonymous": False, "codeUri": asked.get("codeUri")}
        body, new = self.versions.keep(name, version, properties)
        return RestAnswer(201 if new else 200, body)

    def files(self, path: str) -> Path | None:
        """The folder of a version's files, if they were uploaded."""
        body = self.versions.by_id(path)
        uri = (body or {"properties": {}})["properties"].get("codeUri") or ""
        container, _, name = uri.partition(f"{self.blobs.url}/")[2].partition("/")
        found = self.blobs.path(container, name) if container else None
        return found if found is not None and found.exists() else None
