"""What Azure Monitor measured of deployments. Never recorded: all of it; the answer has the fields of the reference.

Nothing is measured by itself: a test says what each deployment used, and one that was not told of has no figures.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.azure.calls import Json, RestAnswer, RestCall
from tests.azure.stamps import stamp


@dataclass(slots=True)
class DeploymentMetrics:
    """The mean of a metric in the last minute, by the path of its deployment, then by its name."""

    used: dict[str, Mapping[str, float]] = field(default_factory=dict)

    def use(self, deployment: str, **percents: float) -> None:
        """A deployment uses so much from now on, by the metrics' names."""
        self.used[deployment.lower()] = percents

    def answer(self, call: RestCall) -> RestAnswer:
        """What is asked of a deployment's metrics."""
        deployment = call.path.lower().partition("/providers/microsoft.insights/")[0]
        used = self.used.get(deployment, {})
        names = call.query.get("metricnames", "").split(",")
        return RestAnswer(200, {"value": [_metric(name, used.get(name)) for name in names], "interval": "PT1M"})


def _metric(name: str, value: float | None) -> Json:
    data = [] if value is None else [{"timeStamp": stamp(), "average": value}, {"timeStamp": stamp()}]
    series = [{"metadatavalues": [], "data": data}] if data else []
    return {
        "name": {"value": name, "localizedValue": name},
        "unit": "Percent",
        "timeseries": series,
        "errorCode": "Success",
    }
