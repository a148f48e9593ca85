"""Small files in PORTOLAN_HOME: written whole or not at all, readable by their owner only where they hold a secret."""

import json
import os
import secrets
from pathlib import Path

OWNER_ONLY = 0o600
EVERYONE_READS = 0o644


def write(path: Path, content: str, mode: int = OWNER_ONLY) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, mode)
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    draft.replace(path)


def write_json(path: Path, content: object, mode: int = OWNER_ONLY) -> None:
    write(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n", mode)


def kept_secret(path: Path) -> str:
    """The secret in that file, made on first use."""
    if not path.exists():
        write(path, secrets.token_urlsafe(32))
    return path.read_text(encoding="utf-8").strip()
