"""PORTOLAN_HOME/run.json: what runs now, under which process ids: for `portolan status`, and for tests that kill."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from portolan_cli.embedded import secret_file


def path(home: Path) -> Path:
    return home / "run.json"


def write(home: Path, content: dict[str, Any]) -> None:
    # Database URLs carry the password: for the owner's eyes.
    secret_file.write_json(path(home), content)


def read(home: Path) -> dict[str, Any] | None:
    """None when nothing runs; what a killed run left behind counts as nothing."""
    try:
        content: dict[str, Any] = json.loads(path(home).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return content if is_alive(int(content["supervisor"]["pid"])) else None


def processes(content: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Supervisor and servers, then the services."""
    servers = {name: one for name, one in content.items() if isinstance(one, dict) and "pid" in one}
    return {**servers, **content["services"]}


def remove(home: Path) -> None:
    path(home).unlink(missing_ok=True)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not is_zombie(pid)


def is_zombie(pid: int) -> bool:
    try:
        # The state follows the name, which is in parentheses and may hold anything.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False
