"""Keys and tokens of endpoints. Recorded: the token (score-and-delete); never recorded: listKeys, regenerateKeys."""

import secrets
import time
from dataclasses import dataclass, field

from tests.azure.calls import Json

TOKEN_S = 24 * 3600
REFRESH_S = 12 * 3600


def new_key() -> str:
    """One that was never given before."""
    return secrets.token_urlsafe(24)


@dataclass(slots=True)
class EndpointKeys:
    """What one endpoint takes from its callers."""

    primary: str = field(default_factory=new_key)
    secondary: str = field(default_factory=new_key)
    tokens: set[str] = field(default_factory=set)
    earlier: set[str] = field(default_factory=set)

    def document(self) -> Json:
        """The answer to listKeys."""
        return {"primaryKey": self.primary, "secondaryKey": self.secondary}

    def renew(self, kind: str) -> None:
        """A new key of a kind; what the caller sends as its value is passed over, as the real client wants it."""
        self.earlier |= {self.primary, self.secondary}
        if kind.lower() == "primary":
            self.primary = new_key()
        else:
            self.secondary = new_key()

    def token(self) -> Json:
        """The answer to token."""
        made = secrets.token_urlsafe(48)
        self.tokens.add(made)
        now = int(time.time())
        return {
            "accessToken": made,
            "tokenType": "Bearer",
            "expiryTimeUtc": now + TOKEN_S,
            "refreshAfterTimeUtc": now + REFRESH_S,
        }

    def secrets(self) -> set[str]:
        """All that ever was one."""
        return {self.primary, self.secondary, *self.tokens, *self.earlier}

    def takes(self, given: str, mode: str) -> bool:
        """Whether a bearer may score; `mode` is Key or AMLToken."""
        if mode == "Key":
            return given in {self.primary, self.secondary}
        return given in self.tokens
