"""What is new in what Azure says of an endpoint, beside what one reader was told before; and that it is heard of."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from core.domain.errors import QuarterdeckError
from core.domain.model import Contact, Level, Noted, Observation, OtherDriver, Slot, Synced
from core.system.text import clean_line
from core.targets.azureml.credentials import Account
from core.targets.azureml.operations import AzureOperation
from core.targets.azureml.routing import SOURCE
from core.targets.protocol import Report

LONGEST = 60


@dataclass(frozen=True, slots=True)
class AzureContact:
    """As whom Azure was heard, `silent_s` ago; `stale`: that is long, and `error` what came of asking since.

    It is looked at every `look_s` seconds, and heard of as often. `doing` goes on with the endpoint as a whole, and
    `usual` is what is normal for that.
    """

    account: Account | None
    silent_s: float
    stale: bool
    error: QuarterdeckError | None
    look_s: float
    doing: AzureOperation | None = None
    usual: str = ""


class AzureNews:
    """What one reader was told."""

    def __init__(self) -> None:
        self._slots: dict[Slot, Observation] = {}
        self._synced = self._stale = False
        self._contact: Contact | None = None
        self._other: OtherDriver | None = None

    def of(
        self, slots: Mapping[Slot, Observation], contact: AzureContact, other: OtherDriver | None = None
    ) -> Iterator[Report]:
        """Whatever is other than before; with the first of it, that this is all."""
        if other is not None and other != self._other:
            self._other = other
            yield other
        for slot in [one for one in self._slots if one not in slots]:
            del self._slots[slot]
            yield Observation(slot, None, 0, 0, 0.0)
        for slot, seen in slots.items():
            if self._slots.get(slot) != seen:
                self._slots[slot] = seen
                yield seen
        if not self._synced:
            self._synced = True
            yield Synced(tuple(slots))
        if self._stale != contact.stale:
            self._stale = contact.stale
            yield _staleness(contact)
        yield from self._heard(contact)

    def _heard(self, contact: AzureContact) -> Iterator[Contact]:
        lost = str(contact.error or "Azure does not answer") if contact.stale else ""
        heard_at, account = time.time() - contact.silent_s, account_words(contact.account)
        now = Contact(heard_at, lost, account, contact.look_s, counts=False, usual=contact.usual)
        if (one := contact.doing) is not None:
            now = replace(now, doing=one.what, doing_at=one.begun.at)
        told = self._contact
        same = told is not None and replace(told, at=now.at) == now
        if told is None or not same or (not lost and now.at - told.at >= contact.look_s):
            self._contact = now
            yield now


def account_words(account: Account | None) -> str:
    """A name and the first of the tenant's digits, as a subscription is shown; empty before anybody has logged in."""
    return "" if account is None else clean_line(f"{account.name}, tenant {account.tenant[:8]}", LONGEST)


def _staleness(contact: AzureContact) -> Noted:
    """That nothing is heard of Azure any more, and why; or that it is heard again."""
    if not contact.stale:
        return Noted("Azure answers again", source=SOURCE)
    because = f" ({contact.error})" if contact.error is not None else ""
    text = f"nothing was heard of Azure for a while; what is shown is from before{because}"
    return Noted(text, Level.WARNING, None, SOURCE)
