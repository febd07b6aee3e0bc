"""What a workspace stands on: storage accounts and key vaults, and whether group and workspace are there at all.

Never recorded: all of it; documents have the fields that were asked for, as the resource manager's reference has them.
"""

from dataclasses import dataclass, field

from tests.azure.calls import Json, RestAnswer, RestCall
from tests.azure.place import AzurePlace
from tests.azure.refusals import LOCATION, RestRefusal, not_here, user_error


@dataclass(slots=True)
class Foundations:
    """`held` are accounts and vaults by their paths. A storage account is not ready at its first look."""

    place: AzurePlace
    held: dict[str, Json] = field(default_factory=dict)
    group_there: bool = True
    workspace_there: bool = True

    def clear(self) -> None:
        """Nothing is there, not even the group."""
        self.held.clear()
        self.group_there = self.workspace_there = False

    def group(self, call: RestCall) -> RestAnswer:
        """The group, whatever its name is asked to be."""
        name = call.path.rstrip("/").rsplit("/", 1)[-1]
        mine = name.lower() == self.place.group.lower()
        if call.method == "PUT" and mine:
            self.group_there = True
        elif not mine or not self.group_there:
            raise RestRefusal(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")
        body = {"id": self.place.scope, "name": self.place.group, "location": LOCATION}
        return RestAnswer(200, {**body, "properties": {"provisioningState": "Succeeded"}})

    def beneath(self, call: RestCall) -> RestAnswer:
        """One account or vault."""
        self.check_group()
        path, found = call.path.lower(), self.held.get(call.path.lower())
        if call.method == "PUT":
            body = {**call.body, "id": call.path, "name": call.parts[-1]}
            self.held[path] = {**body, "properties": {**body["properties"], "provisioningState": "Creating"}}
            return RestAnswer(202 if "storage" in path else 201, self.held[path])
        if found is None:
            raise not_here(call.path)
        if call.method != "GET":
            raise user_error(405, f"{call.method} is not supported for this resource.")
        self.held[path] = {**found, "properties": {**found["properties"], "provisioningState": "Succeeded"}}
        return RestAnswer(200, found)

    def workspace(self, call: RestCall) -> RestAnswer:
        """The workspace itself: it needs an account and a vault that are there."""
        self.check_group()
        if call.method == "PUT" and not self.workspace_there:
            for need in ("storageAccount", "keyVault"):
                if str(call.body["properties"].get(need)).lower() not in self.held:
                    raise user_error(400, f"{need} {call.body['properties'].get(need)} was not found.")
            self.workspace_there = True
            return RestAnswer(201, self.place.document())
        self.check()
        return RestAnswer(200, self.place.document())

    def check_group(self) -> None:
        """Refused where the group is not there."""
        if not self.group_there:
            raise RestRefusal(404, "ResourceGroupNotFound", f"Resource group '{self.place.group}' could not be found.")

    def check(self) -> None:
        """Refused where the workspace is not there."""
        self.check_group()
        if not self.workspace_there:
            raise not_here(self.place.workspace)
