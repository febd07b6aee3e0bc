"""A change of traffic on a full disk is done in the space that was put by."""

import errno
from pathlib import Path

import pytest

from core.targets.local.spare import NAME, SIZE, in_spare, put_by


async def test_a_full_disk_costs_the_space_put_by_and_not_the_change(tmp_path: Path) -> None:
    put_by(tmp_path)
    assert (tmp_path / NAME).stat().st_size == SIZE
    done = []

    async def change() -> None:
        if (tmp_path / NAME).exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        done.append("moved")

    await in_spare(tmp_path, change)
    assert done == ["moved"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
async def test_without_it_or_for_another_reason_the_error_is_told(tmp_path: Path, number: int) -> None:
    if number == errno.EACCES:
        put_by(tmp_path)

    async def change() -> None:
        raise OSError(number, "no")

    with pytest.raises(OSError, match="no"):
        await in_spare(tmp_path, change)
    assert (tmp_path / NAME).exists() is (number == errno.EACCES)
