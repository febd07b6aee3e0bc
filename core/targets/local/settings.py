"""What the local target adds to the settings: nothing yet, for `endpoint:` says all that one machine needs."""

from core.config.targets import TargetSettings


class LocalSettings(TargetSettings):
    """One endpoint on this machine."""


PART = LocalSettings
