"""Of which packages the libraries of an image are, by dpkg or by nobody."""

from pathlib import Path

import pytest

from core.images.debian import DebianPackage, packages_of

SCRIPT = """\
#!/bin/sh
case "$1" in
  -S) echo "libc6:amd64: /lib/x86_64-linux-gnu/libc.so.6"; echo "libc6:amd64: /lib/x86_64-linux-gnu/libm.so.6"
      echo "libodd, libc6:amd64: /usr/lib/libodd.so"; echo "diversion by libx from: /lib/x"
      echo "no path found matching pattern" >&2; echo "$*" > {folder}/asked; exit 1 ;;
  -W) case "$*" in *diversion*) exit 2 ;; esac
      printf 'libodd\\t1:2.0+x~1\\tall\\nlibc6\\t2.36-9\\tamd64\\n' ;;
esac
"""


def test_each_package_is_named_once_whichever_way_it_names_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dpkg-query").write_text(SCRIPT.format(folder=tmp_path))
    (tmp_path / "dpkg-query").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("platform.freedesktop_os_release", lambda: {"ID": "debian", "VERSION_ID": "12"})
    files = [Path("/usr/lib/x86_64-linux-gnu/libc.so.6"), Path("/lib/x86_64-linux-gnu/libm.so.6")]
    found = packages_of(files)
    assert [one.name for one in found] == ["libc6", "libodd"]
    assert found[0] == DebianPackage("libc6", "2.36-9", "amd64", "debian", "12")
    assert found[1].purl == "pkg:deb/debian/libodd@1%3A2.0%2Bx~1?arch=all&distro=debian-12"
    asked = (tmp_path / "asked").read_text().split()
    assert {"/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib/x86_64-linux-gnu/libm.so.6"} <= set(asked)


def test_on_another_system_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert packages_of([Path("/usr/lib/libc.so.6")]) == []
