"""Links that answer one question: signed with the project's own key, so that nobody else can make one.

A link is used up by the answer that the journal holds, and runs out with its question; nothing of it is written down.
"""

import hashlib
import hmac
import json
import os
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from core.notify.payloads import AnswerLinks
from core.state.alert import Notice, OpenQuestion

KEY = "answers.key"
PATH = "/answer/"
BYTES = 32
MOST = 2048
"""No link of ours is longer, in characters."""


@dataclass(frozen=True, slots=True)
class AnswerLink:
    """What a link says: yes or no to one question of an endpoint, by whoever reads a receiver's messages."""

    endpoint: str
    question: OpenQuestion
    yes: bool
    receiver: str


class AnswerSigner:
    """One project's. `folder` is its state folder: in a copy or after a move earlier links are worth nothing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def links(self, url: str, notice: Notice, receiver: str) -> AnswerLinks | None:
        """The two links of a message to a receiver; None where it asks nothing. Raises OSError without a key."""
        if notice.question is None:
            return None
        yes, no = (self.token(AnswerLink(notice.endpoint, notice.question, one, receiver)) for one in (True, False))
        return AnswerLinks(f"{url}{PATH}{yes}", f"{url}{PATH}{no}")

    def token(self, link: AnswerLink) -> str:
        """A link's last part; raises OSError without a key."""
        asked = link.question
        fields = (link.endpoint, asked.release, asked.index, asked.until, link.yes, link.receiver)
        said = json.dumps(fields, separators=(",", ":")).encode()
        return f"{_text(said)}.{_text(self._signature(said))}"

    def read(self, token: str) -> AnswerLink | None:
        """What a link says; None for any that is not of this project. Raises OSError without a key."""
        if len(token) > MOST or not token.isascii():
            return None
        said, _, signature = token.partition(".")
        try:
            content, given = _bytes(said), _bytes(signature)
        except ValueError:
            return None
        if not hmac.compare_digest(given, self._signature(content)):
            return None
        endpoint, release, index, until, yes, receiver = json.loads(content)
        return AnswerLink(endpoint, OpenQuestion(release, index, until), yes, receiver)

    def _signature(self, said: bytes) -> bytes:
        here = os.fsencode(self._folder.resolve())
        return hmac.digest(_key(self._folder / KEY), b"answer\0" + here + b"\0" + said, hashlib.sha256)


def _key(path: Path) -> bytes:
    """The project's key, readable by its owner alone; one that others could read is replaced by a new one."""
    with suppress(FileNotFoundError, ValueError):
        if path.stat().st_mode & 0o077 == 0 and len(key := bytes.fromhex(path.read_text())) == BYTES:
            return key
    made = secrets.token_bytes(BYTES)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(made.hex())
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    return made


def _text(said: bytes) -> str:
    return urlsafe_b64encode(said).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
