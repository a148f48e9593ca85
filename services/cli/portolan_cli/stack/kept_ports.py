"""Ports that a folder keeps from one start to the next."""

from __future__ import annotations

import json
from pathlib import Path

from portolan_cli.embedded import ports, secret_file


class KeptPorts:
    """The ports of last time while they are free, so that who was connected finds the servers again."""

    def __init__(self, folder: Path, role: str) -> None:
        self._file = folder / f"{role}.ports.json"
        self._known: dict[str, int] = json.loads(self._file.read_text()) if self._file.exists() else {}
        self._given: set[int] = set()

    def port(self, name: str) -> int:
        known = self._known.get(name, 0)
        if not known or known in self._given or not ports.is_free(known):
            known = ports.free(frozenset({*self._given, *self._known.values()}))
        self._given.add(known)
        self._known[name] = known
        secret_file.write_json(self._file, self._known, secret_file.EVERYONE_READS)
        return known
