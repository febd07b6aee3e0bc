"""What the fake target adds to the settings: how slow, how inexact and how able its place is."""

from core.config.quantities import Percent, Seconds
from core.config.targets import TargetSettings
from core.domain.plan import Mirror, Patience, Shift, Step

FULL = 100.0
TIMES = 20.0
"""So much longer than it takes itself the place may be waited for."""


class FakeSettings(TargetSettings):
    """A place in memory. `late_s` is how long each change takes, `misses_by` how many points a share ends off; one that
    does not `split` moves all traffic or none."""

    late_s: Seconds = 0.0
    misses_by: Percent = 0.0
    split: bool = True

    @property
    def patience(self) -> Patience:
        """As slow as the place is, and no less than anywhere."""
        usual, late_s = Patience(), TIMES * self.late_s
        return Patience(
            deploy_s=max(usual.deploy_s, late_s),
            shift_s=max(usual.shift_s, late_s),
            back_s=max(usual.back_s, late_s),
            step_s=max(usual.step_s, late_s),
            size_s=usual.size_s,
            call_s=max(usual.call_s, late_s),
        )

    @property
    def tolerance(self) -> float:
        """As inexact as the place is."""
        return max(0.01, self.misses_by)

    @property
    def where(self) -> str:
        """Nowhere."""
        return "in memory"

    def cannot(self, step: Step) -> str:
        """A share, and a copy, where nothing can be split."""
        if isinstance(step, Mirror) and not self.split:
            return "fake.split is false, so no request can be copied; use another strategy than shadow"
        if isinstance(step, Shift) and step.percent < FULL and not self.split:
            return f"fake.split is false, so {step.percent:g} % can't be moved; use blue-green, which moves all at once"
        return ""


PART = FakeSettings
