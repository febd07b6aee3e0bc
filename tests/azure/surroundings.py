"""What a client asks of Azure around the workspace: the subscription, the group, the provider, who may do what.

Never recorded: all of it; the answers have the fields of the resource manager's reference.
"""

from dataclasses import dataclass, field

from tests.azure.calls import Json, RestAnswer, RestCall
from tests.azure.operations import PROVIDER
from tests.azure.place import AzureLogins, AzurePlace
from tests.azure.refusals import RestRefusal, not_here


@dataclass(slots=True)
class Surroundings:
    """Answers for all of these. `unregistered` are providers that the subscription never used."""

    place: AzurePlace
    logins: AzureLogins
    unregistered: set[str] = field(default_factory=set)

    def subscription(self, call: RestCall) -> RestAnswer:
        """The subscription itself."""
        about = {"displayName": "Stand-in", "state": "Enabled", "tenantId": self.place.tenant}
        path = f"/subscriptions/{self.place.subscription}"
        return RestAnswer(200, {"id": path, "subscriptionId": self.place.subscription, **about})

    def provider(self, call: RestCall) -> RestAnswer:
        """A provider's registration."""
        parts = [one for one in call.path.split("/") if one]
        name = parts[3]
        if call.method == "POST" and parts[-1].lower() == "register":
            self.unregistered = {one for one in self.unregistered if one.lower() != name.lower()}
        missing = name.lower() in {one.lower() for one in self.unregistered}
        state = "NotRegistered" if missing else "Registered"
        path = f"/subscriptions/{self.place.subscription}/providers/{name}"
        return RestAnswer(200, {"id": path, "namespace": name, "registrationState": state})

    def check(self) -> None:
        """Refused where the workspace's own provider is not registered."""
        if PROVIDER.lower() in {one.lower() for one in self.unregistered}:
            said = f"The subscription is not registered to use namespace '{PROVIDER}'. See https://aka.ms/rps-not-found"
            raise RestRefusal(409, "MissingSubscriptionRegistration", said)

    def permissions(self, call: RestCall) -> RestAnswer:
        """What the caller may do with the workspace, or with the group that it lies in."""
        if not call.path.lower().endswith("/providers/microsoft.authorization/permissions"):
            raise not_here(call.path)
        user = self.logins.who(call.headers.get("authorization", ""))
        refused = [one if one.startswith("Microsoft.") else f"{PROVIDER}/workspaces/{one}" for one in user.lacks]
        allowed: Json = {"actions": ["*"], "notActions": refused, "dataActions": [], "notDataActions": []}
        return RestAnswer(200, {"value": [allowed]})
