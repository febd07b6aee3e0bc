"""What the containers of a deployment wrote: the service gives the last lines as one text, and nothing streams."""

from collections.abc import Sequence

from core.domain.model import Slot
from core.targets.azureml.calls import AzureCalls
from core.targets.azureml.workspace import DEPLOYMENT_API, AzureEndpoint

MOST = 500


class ContainerLogs:
    """The log of one slot; of which instance a line is nobody says."""

    def __init__(self, at: AzureEndpoint, calls: AzureCalls, lines: int) -> None:
        self._at = at
        self._calls = calls
        self._lines = max(0, min(lines, MOST))
        self._seen: list[str] | None = None

    def news(self, slot: Slot) -> list[str]:
        """The last lines at first, then those that came since; raises QuarterdeckError."""
        wanted = max(self._lines, 100) if self._seen is not None else self._lines
        found = log_lines(self._at, self._calls, slot, max(1, wanted))
        before, self._seen = self._seen, found
        if before is None:
            return found[len(found) - self._lines :] if self._lines else []
        return after(before, found)


def log_lines(at: AzureEndpoint, calls: AzureCalls, slot: Slot, lines: int, container: str = "") -> list[str]:
    """So many last lines of a slot's container."""
    asked = {"tail": lines, **({"containerType": container} if container else {})}
    body = calls.ask("POST", f"{at.deployment(slot)}/getLogs", DEPLOYMENT_API, asked).body
    return str(body.get("content") or "").splitlines()


def last_line(at: AzureEndpoint, calls: AzureCalls, slot: Slot) -> str:
    """The last line that says something; empty where there is none."""
    return next((line.strip() for line in reversed(log_lines(at, calls, slot, 20)) if line.strip()), "")


def after(before: Sequence[str], found: Sequence[str]) -> list[str]:
    """The lines that came after those that were there: behind the longest end of them that begins what was found."""
    for count in range(min(len(before), len(found)), 0, -1):
        for start in range(len(found) - count, -1, -1):
            if list(found[start : start + count]) == list(before[len(before) - count :]):
                return list(found[start + count :])
        if count <= 1:
            break
    return list(found)
