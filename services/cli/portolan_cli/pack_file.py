"""One YAML file of a pack, read as the pack reader reads it: `010` is text, a date is a date's text."""

from datetime import date
from pathlib import Path
from typing import Any

from packs import source


def read(file: Path) -> Any:
    """Raises PackError, which knows the line."""
    return _sendable(source.load(file.parent, file).value)


def _sendable(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        return {name: _sendable(item) for name, item in value.items()}
    return [_sendable(item) for item in value] if isinstance(value, list) else value
