"""Components: what the nodes of a pipeline run. Recorded: that one which is not there is 404 (job). Never recorded: all
else; its shape is what the client reads."""

from dataclasses import dataclass

from tests.azure.assets import Versions, common
from tests.azure.calls import Json, RestAnswer, RestCall
from tests.azure.refusals import RestRefusal, user_error


@dataclass(slots=True)
class Components:
    """Versions of components."""

    versions: Versions

    def answer(self, call: RestCall) -> RestAnswer:
        """What is asked below `components`."""
        match call.method, call.parts[1:]:
            case "GET", [name, _, version]:
                return RestAnswer(200, self.known(self.versions.place.path("components", name, "versions", version)))
            case "PUT", [name, _, version]:
                asked = call.body["properties"]
                properties = {**common(asked), "componentSpec": asked["componentSpec"]}
                body, new = self.versions.keep(name, version, properties)
                return RestAnswer(201 if new else 200, body)
        raise user_error(405, f"{call.method} is not supported for this resource.")

    def known(self, path: str) -> Json:
        """The one that a path names, or 404 in the recorded words."""
        found = self.versions.by_id(path)
        if found is None:
            name, version = path.split("/")[-3], path.rsplit("/", maxsplit=1)[-1]
            said = f"key: {path}, Message: Not found component {name} (version: {version})."
            raise RestRefusal(404, "NotFound", said, service=True)
        return found
