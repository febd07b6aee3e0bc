"""What Azure Monitor measured of a deployment lately: one call in a thread of whoever asks."""

from collections.abc import Iterable
from datetime import UTC, datetime

from core.domain.model import Slot
from core.targets.azureml.api_errors import Json
from core.targets.azureml.autoscale_bodies import METRICS
from core.targets.azureml.calls import AzureCalls
from core.targets.azureml.workspace import AzureEndpoint

METRICS_API = "2018-01-01"


def measured(at: AzureEndpoint, calls: AzureCalls, slot: Slot, within_s: float) -> dict[str, float | None]:
    """What Azure Monitor measured of a slot in the last seconds: the mean of each metric, None where it has none."""
    now = datetime.now(UTC)
    start = datetime.fromtimestamp(now.timestamp() - within_s, UTC)
    query = {
        "metricnames": ",".join(METRICS.values()),
        "timespan": f"{start:%Y-%m-%dT%H:%M:%SZ}/{now:%Y-%m-%dT%H:%M:%SZ}",
        "interval": "PT1M",
        "aggregation": "Average",
    }
    path = f"{at.deployment(slot)}/providers/Microsoft.Insights/metrics"
    body = calls.ask("GET", path, METRICS_API, query=query).body
    found: dict[str, float | None] = dict.fromkeys(METRICS.values())
    for one in body.get("value") or ():
        found[str((one.get("name") or {}).get("value"))] = _mean(one.get("timeseries") or ())
    return found


def _mean(series: Iterable[Json]) -> float | None:
    values = [value for one in series for each in one.get("data") or () if (value := each.get("average")) is not None]
    return sum(values) / len(values) if values else None
