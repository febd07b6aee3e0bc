"""Autoscale settings of Azure Monitor, which look after the instances of a deployment.

Never recorded: all of it; the documents are as Microsoft's reference has them. Rules are kept and never measured: a
test says what they came to with `wanted`, and the bounds of the profile hold at once.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.azure.calls import Json, RestAnswer, RestCall
from tests.azure.place import AzurePlace
from tests.azure.refusals import LOCATION, RestRefusal, not_here, user_error

KIND = "Microsoft.Insights/autoscaleSettings"
Size = Callable[[str], int | None]
"""How many instances a deployment has, named by its path; None where there is none."""
Scale = Callable[[str, int], None]
"""Gives a deployment, named by its path, so many instances."""


@dataclass(slots=True)
class AutoscaleSettings:
    """All of the group's."""

    place: AzurePlace
    size: Size
    scale: Scale
    held: dict[str, Json] = field(default_factory=dict)

    def answer(self, call: RestCall) -> RestAnswer:
        """What is asked below `Microsoft.Insights/autoscaleSettings`."""
        match call.method, call.parts:
            case "GET", []:
                return RestAnswer(200, {"value": [*self.held.values()]})
            case "GET", [name]:
                if name.lower() not in self.held:
                    raise not_here(f"{KIND}/{name}")
                return RestAnswer(200, self.held[name.lower()])
            case "PUT", [name]:
                return self._put(name, call.body)
            case "DELETE", [name]:
                return RestAnswer(200 if self.held.pop(name.lower(), None) else 204)
        raise user_error(405, f"{call.method} is not supported for this resource.")

    def _put(self, name: str, asked: Json) -> RestAnswer:
        profiles = asked["properties"].get("profiles") or []
        if not profiles:
            raise RestRefusal(400, "InvalidAutoscaleSetting", "At least one profile is needed.")
        for one in profiles:
            low, most = int(one["capacity"]["minimum"]), int(one["capacity"]["maximum"])
            if not low <= int(one["capacity"]["default"]) <= most:
                raise RestRefusal(400, "InvalidAutoscaleSetting", f"Profile {one['name']}: default is out of bounds.")
        path = f"{self.place.scope}/providers/{KIND}/{name}"
        new = name.lower() not in self.held
        body = {"id": path, "name": name, "type": KIND, "location": LOCATION, "tags": {}, **asked}
        self.held[name.lower()] = body
        self.wanted(name, None)
        return RestAnswer(201 if new else 200, body)

    def wanted(self, name: str, count: int | None) -> None:
        """The rules ask for so many instances (None: for what there is); the bounds of the first profile hold."""
        properties = self.held[name.lower()]["properties"]
        if not properties.get("enabled", True):
            return
        target, capacity = properties["targetResourceUri"], properties["profiles"][0]["capacity"]
        asked = self.size(target) if count is None else count
        if asked is not None:
            self.scale(target, min(max(asked, int(capacity["minimum"])), int(capacity["maximum"])))
