"""Lines that pods wrote, the last of them and then each new one, asked for again and again."""

from collections.abc import Sequence

from core.domain.errors import QuarterdeckError
from core.targets.kubernetes.calls import ApiCalls
from core.targets.kubernetes.paths import PODS

MOST = 500
"""So many lines of a pod are asked for between one look and the next."""


class PodLogs:
    """Reads the logs of some pods; each line is told once."""

    def __init__(self, calls: ApiCalls, namespace: str, lines: int) -> None:
        self._calls = calls
        self._namespace = namespace
        self._lines = lines
        self._last: dict[str, str] = {}

    def news(self, pods: Sequence[str]) -> list[str]:
        """What these pods wrote since they were asked last, oldest first; a pod that can't be asked has nothing new."""
        found = sorted(line for name in pods for line in self._of(name))
        if not self._last and self._lines < len(found):
            found = found[len(found) - self._lines :]
        for name in pods:
            self._last.setdefault(name, "")
        return [text for _, text in found]

    def _of(self, name: str) -> list[tuple[str, str]]:
        before = self._last.get(name)
        query = {"timestamps": "true", "tailLines": str(self._lines if before is None else MOST)}
        if before:
            query["sinceTime"] = f"{before[:19]}Z"
        try:
            text, _ = self._calls.text(PODS.path(self._namespace, name, "log"), query=query)
        except QuarterdeckError:
            return []
        pairs = [(stamp, rest) for stamp, _, rest in (line.partition(" ") for line in text.splitlines()) if stamp]
        news = [one for one in pairs if one[0] > (before or "")]
        if news:
            self._last[name] = news[-1][0]
        return news
