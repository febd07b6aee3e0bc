"""A release begun in one shell and taken back from another: the file of authorities of the first one is gone."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.azure.standin import AzureStandIn
from tests.story.shop import Told, quarterdeck
from tests.story.test_azure_two_machines import AT_ONCE, LONG_S, RELEASE, SAME, Desk, furnished, traffic

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@dataclass(frozen=True, slots=True)
class FirstShell(Desk):
    """Whose variables name a file of their own."""

    ca: Path

    def run(self, *arguments: str) -> Told:
        """A command there."""
        own = {"REQUESTS_CA_BUNDLE": str(self.ca), "SSL_CERT_FILE": str(self.ca)}
        return quarterdeck(*arguments, cwd=self.folder, env={**self.azure.environment(), **own}, deadline_s=LONG_S)


@pytest.fixture
def shells(tmp_path: Path) -> Iterator[tuple[FirstShell, Desk]]:
    """The one in which v1 was released twice, and another one."""
    with AzureStandIn(tmp_path) as azure:
        other = furnished(tmp_path, azure)
        first = FirstShell(other.folder, azure, Path(shutil.copy(azure.ca, tmp_path / "first.pem")))
        first.well(*RELEASE, *AT_ONCE)
        first.well(*RELEASE, *AT_ONCE, *SAME)
        yield first, other
        other.run("down", "--env", "prod", "--confirm", "prod")


@pytest.mark.parametrize("begun_there", [True, False])
def test_a_good_shell_gets_back_though_the_first_ones_file_is_gone(
    shells: tuple[FirstShell, Desk], begun_there: bool
) -> None:
    """Also where the watch was begun in the first one since, and so trusts nobody."""
    first, other = shells
    assert traffic(other) == {"green": 100}
    first.well("watch", "--stop")
    first.ca.unlink()
    if begun_there:
        first.well("watch")
    told = other.run("rollback", "--env", "prod")
    assert told.code == 0, told.out + told.err
    assert traffic(other) == {"blue": 100}
    lent = f"named {first.ca}, which is gone; from here on this goes with what "
    assert any(lent in line for line in told.lines), told.out
