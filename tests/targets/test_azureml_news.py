"""What a watch says of Azure at rest: as whom it is heard of, and since when it is not."""

import time

from core.domain.errors import Unreachable
from core.domain.model import Contact, Noted, Observation, Synced
from core.system.moment import KeptMoment
from core.targets.azureml.credentials import Account
from core.targets.azureml.news import AzureContact, AzureNews, account_words
from core.targets.azureml.operations import AzureOperation
from core.targets.protocol import Report
from tests.targets.azureml_places import AzurePlaceOf
from tests.targets.helpers import ONE, watching

ANN = Account("ann@example.com", "1a2b3c4d-0000-0000-0000-000000000000")
BLUE = Observation("blue", ONE, 1, 1, 100.0)


def told(
    news: AzureNews, silent_s: float = 0.0, account: Account | None = ANN, stale: bool = False, look_s: float = 30.0
) -> list[Report]:
    """What is new of a slot that is as it was."""
    error = Unreachable("no answer from management.azure.com") if stale else None
    return list(news.of({"blue": BLUE}, AzureContact(account, silent_s, stale, error, look_s)))


def test_it_is_said_as_whom_azure_is_heard_of_and_again_with_the_next_look() -> None:
    news = AzureNews()
    seen, synced, contact = told(news, account=None)
    assert (seen, synced) == (BLUE, Synced(("blue",)))
    assert isinstance(contact, Contact)
    assert (contact.account, contact.every_s, abs(contact.at - time.time()) < 5) == ("", 30.0, True)
    (known,) = told(news)
    assert isinstance(known, Contact)
    assert known.account == "ann@example.com, tenant 1a2b3c4d"
    assert told(news, silent_s=10.0) == []
    (rare,) = told(news, silent_s=10.0, look_s=120.0)
    assert isinstance(rare, Contact)
    assert (rare.every_s, rare.counts) == (120.0, False)


def test_what_goes_on_with_the_endpoint_as_a_whole_is_said_once_and_so_is_its_end() -> None:
    """Its age is for whoever shows it: it begins once."""
    news = AzureNews()
    told(news)
    moves = AzureOperation("1", "traffic", KeptMoment(1000.0, "boot", 5.0), address="https://x")
    now = [list(news.of({"blue": BLUE}, AzureContact(ANN, 0.0, False, None, 30.0, moves, moves.usual(180.0))))]
    now.append(list(news.of({"blue": BLUE}, AzureContact(ANN, 2.0, False, None, 30.0, moves, moves.usual(180.0)))))
    ((contact,), again), (over,) = now, told(news)
    assert isinstance(contact, Contact)
    assert (contact.doing, contact.doing_at) == ("traffic moves", 1000.0)
    assert contact.usual == "usually 3 min; Azure tells its front door"
    assert again == []
    assert isinstance(over, Contact)
    assert over.doing == ""


def test_azure_that_is_silent_is_said_once_with_its_reason_and_so_is_that_it_is_back() -> None:
    news = AzureNews()
    told(news)
    note, lost = told(news, silent_s=130.0, stale=True)
    assert isinstance(note, Noted)
    assert note.text.startswith("nothing was heard of Azure for a while")
    assert isinstance(lost, Contact)
    assert (lost.lost, abs(time.time() - 130 - lost.at) < 5) == ("no answer from management.azure.com", True)
    assert told(news, silent_s=200.0, stale=True) == []
    back, contact = told(news)
    assert (back, contact) == (Noted("Azure answers again", source="azureml"), contact)
    assert isinstance(contact, Contact)
    assert contact.lost == ""


def test_an_accounts_name_is_one_short_line_whatever_it_is() -> None:
    assert account_words(None) == ""
    assert account_words(Account("a\n\x1b[31mb", "t")).isprintable()
    assert len(account_words(Account("a" * 500, "t"))) <= 60


async def test_who_is_logged_in_is_told_to_whoever_watches(place: AzurePlaceOf) -> None:
    async with watching(place.target(1)) as watcher:
        contacts = await watcher.until(
            lambda: [one for one in watcher.reports if isinstance(one, Contact) and one.account]
        )
        assert contacts[0].account == "user@example.com, tenant 00000000"
