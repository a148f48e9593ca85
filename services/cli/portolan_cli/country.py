"""Which country a home folder is of: its databases hold one country's documents, and keep to its pack."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from packs.reader import PACK_PATH_VARIABLE

from portolan_cli import pack_file, places
from portolan_cli.embedded import secret_file

FILE = "country.json"


class OtherCountry(Exception):
    """Two countries in one home would share databases."""


def claim(home: Path, pack: Path) -> None:
    """Notes the country on first start; raises OtherCountry ever after when it is not that one."""
    name, kept = pack_file.read(pack / "pack.yaml")["name"], _kept(home)
    if kept.get("name", name) != name:
        raise OtherCountry(f"{home} holds {kept['name']}: give {name} a folder of its own with PORTOLAN_HOME=")
    secret_file.write_json(home / FILE, {"name": name, "pack": str(pack)}, secret_file.EVERYONE_READS)


def pack_of(home: Path, chosen: Path | None = None) -> Path:
    """The pack that was asked for, else the one that this home was last started with."""
    kept = _kept(home).get("pack")
    if chosen is None and kept and not os.environ.get(PACK_PATH_VARIABLE):
        return Path(kept)
    return places.pack(chosen)


def _kept(home: Path) -> dict[str, Any]:
    file = home / FILE
    content: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.exists() else {}
    return content
