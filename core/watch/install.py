"""The watch as a service of the user's: it brings the project's endpoints back after a reboot."""

import hashlib
import plistlib
import sys
from pathlib import Path

from core.domain.errors import BadInput

ARGUMENTS = ("-P", "-m", "core.watch.main")


def unit_path(config: Path, home: Path | None = None) -> Path:
    """Where the service of a project is described; its name holds the folder's, and a hash of its whole path."""
    digest = hashlib.sha256(str(config).encode()).hexdigest()[:8]
    name = "".join(sign if sign.isalnum() else "-" for sign in config.parent.name.lower())
    base = home or Path.home()
    if sys.platform == "darwin":
        return base / "Library" / "LaunchAgents" / f"quarterdeck.{name}.{digest}.plist"
    return base / ".config" / "systemd" / "user" / f"quarterdeck-{name}-{digest}.service"


def install(config: Path, home: Path | None = None) -> tuple[Path, str]:
    """Write the unit; gives where, and the line that switches it on. Raises BadInput where it can't be written."""
    path = unit_path(config, home)
    call = [sys.executable, *ARGUMENTS, str(config), "--foreground"]
    paths = str(Path(__file__).resolve().parents[2])
    text = _launchd(path.stem, call, config, paths) if path.suffix == ".plist" else _systemd(call, config, paths)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}")
        beside.write_text(text, encoding="utf-8")
        beside.rename(path)
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror or error}") from error
    if path.suffix == ".plist":
        return path, f"launchctl load {path}"
    return path, f"systemctl --user enable --now {path.name} && loginctl enable-linger"


def uninstall(config: Path, home: Path | None = None) -> Path | None:
    """Remove the unit; None where there was none."""
    path = unit_path(config, home)
    if not path.exists():
        return None
    path.unlink()
    return path


def _systemd(call: list[str], config: Path, paths: str) -> str:
    # KillMode=process: hosts, routers and replicas outlive the watch.
    return "\n".join(
        [
            "[Unit]",
            f"Description=Quarterdeck's watch over {_escaped(str(config.parent))}",
            "",
            "[Service]",
            f"ExecStart={' '.join(_quoted(part) for part in call)}",
            f"Environment={_quoted('PYTHONPATH=' + paths)}",
            "KillMode=process",
            "Restart=on-failure",
            "RestartSec=5",
            "",
            "[Install]",
            "WantedBy=default.target",
            "",
        ]
    )


def _escaped(text: str) -> str:
    # `%` begins a specifier in a unit file, systemd.unit(5).
    return text.replace("%", "%%")


def _quoted(text: str) -> str:
    # `$` begins a variable and backslashes are escapes, systemd.service(5).
    escaped = _escaped(text).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{escaped}"'


def _launchd(label: str, call: list[str], config: Path, paths: str) -> str:
    return plistlib.dumps(
        {
            "Label": label,
            "ProgramArguments": call,
            "WorkingDirectory": str(config.parent),
            "EnvironmentVariables": {"PYTHONPATH": paths},
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            "AbandonProcessGroup": True,
        }
    ).decode()
