"""What a login may do in Azure, by the permissions that its roles give: actions, less those that each takes out."""

from collections.abc import Mapping, Sequence

from core.domain.errors import Refused
from core.targets.azureml.calls import AzureCalls
from core.targets.azureml.workspace import PERMISSIONS_API, SERVICE

WRITES = (f"{SERVICE}/workspaces/onlineEndpoints/write", f"{SERVICE}/workspaces/onlineEndpoints/deployments/write")
AUTOSCALE_ROLE = "Monitoring Contributor"
AUTOSCALES = ("Microsoft.Insights/autoscaleSettings/write", "Microsoft.Insights/autoscaleSettings/delete")


def missing_rights(
    calls: AzureCalls, scope: str, actions: Sequence[str], timeout_s: float | None = None
) -> list[str] | None:
    """The actions that a login may not do at a scope; None where nobody says it. Raises Unreachable, BadInput."""
    path = f"{scope}/providers/Microsoft.Authorization/permissions"
    try:
        found = calls.ask("GET", path, PERMISSIONS_API, timeout_s=timeout_s).body.get("value") or []
    except Refused:
        return None
    if not found:
        return None
    return [action for action in actions if not any(allows(one, action) for one in found)]


def allows(permission: Mapping[str, Sequence[str]], action: str) -> bool:
    """Whether a permission's actions, less its notActions, hold one."""

    def holds(patterns: Sequence[str]) -> bool:
        return any(_fits(pattern.lower(), action.lower()) for pattern in patterns)

    return holds(permission.get("actions") or []) and not holds(permission.get("notActions") or [])


def _fits(pattern: str, action: str) -> bool:
    head, star, tail = pattern.partition("*")
    if not star:
        return pattern == action
    return action.startswith(head) and action.endswith(tail) and len(action) >= len(head) + len(tail)
