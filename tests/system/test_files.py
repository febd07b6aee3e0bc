"""What people put in place of a file."""

import os
from pathlib import Path

import pytest

from core.system.files import check_regular, read_regular


@pytest.mark.timeout(10)
def test_a_pipe_and_a_device_are_refused_and_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero")):
        for read in (check_regular, read_regular):
            with pytest.raises(OSError, match="it is no regular file"):
                read(path)


def test_a_file_is_read_also_through_a_link_and_a_folder_is_called_one(tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(b"content")
    (tmp_path / "link").symlink_to("there")
    check_regular(tmp_path / "link")
    assert read_regular(tmp_path / "link") == b"content"
    with pytest.raises(IsADirectoryError):
        read_regular(tmp_path)
