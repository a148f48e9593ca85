"""The events that services say, as far as their contracts are installed here."""

from __future__ import annotations

import pkgutil
from functools import lru_cache
from importlib import import_module, util
from typing import Any

CONTRACTS = "portolan"


@lru_cache(maxsize=1)
def known_events() -> dict[str, frozenset[str]]:
    """Each event's full name with its fields; empty where only the pack reader is installed."""
    if util.find_spec(CONTRACTS) is None:
        return {}
    root = import_module(CONTRACTS)
    names = [found.name for found in pkgutil.walk_packages(root.__path__, f"{CONTRACTS}.")]
    modules = [import_module(name) for name in names if name.endswith(".events_pb2")]
    return {name: fields for module in modules for name, fields in _messages(module)}


def _messages(module: Any) -> list[tuple[str, frozenset[str]]]:
    types = module.DESCRIPTOR.message_types_by_name.values()
    return [(message.full_name, frozenset(field.name for field in message.fields)) for message in types]
