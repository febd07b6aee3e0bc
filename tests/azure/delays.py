"""How long things take, and how the service behaves where a test may choose. Seconds; a real endpoint takes 90."""

import asyncio
from dataclasses import dataclass

LOOK_S = 0.02


@dataclass(slots=True)
class AzureDelays:
    """May be set at any time: what goes on is over sooner where its delay is made shorter."""

    endpoint_s: float = 0.5
    """An endpoint made."""
    traffic_s: float = 0.2
    """An endpoint changed: traffic too."""
    deployment_s: float = 0.5
    """A deployment made or changed, before its container starts."""
    delete_s: float = 0.2
    hidden_s: float = 0.0
    """A deployment just made is 404 for so long."""
    shown_s: float = 0.0
    """New traffic is shown so much later than its operation ends; requests follow it at once."""
    settling_s: float = 0.0
    """An endpoint whose operation has ended still refuses deployments."""
    job_s: float = 0.1
    """Each state of a job before it runs."""
    compute_s: float = 0.3
    """A compute cluster made, changed or deleted."""
    retry_after_s: int | None = None
    """Recorded answers have no Retry-After."""
    speed: float = 20.0
    """Divides the periods of probes."""

    async def spent(self, name: str, more_s: float = 0.0) -> None:
        """Wait as long as a delay says, and `more_s`."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        while True:
            left_s = began_s + float(getattr(self, name)) + more_s - loop.time()
            if left_s <= 0:
                return
            await asyncio.sleep(min(left_s, LOOK_S))
