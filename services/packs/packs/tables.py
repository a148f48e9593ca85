"""Published rule tables: a pack under other rules, and the name of what a document is born under."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from .model import Pack, Rule

SEPARATOR = "#"


class Patch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What differs from the table it is based on: rules put in at the end, put in another's place, taken out."""

    added: tuple[dict[str, Any], ...] = ()
    changed: tuple[dict[str, Any], ...] = ()
    removed: tuple[str, ...] = ()

    def applied(self, rules: tuple[Rule, ...]) -> list[dict[str, Any]]:
        """Raises KeyError for a rule that is not there."""
        plain = {rule.id: as_written(rule) for rule in rules}
        for rule_id in self.removed:
            del plain[rule_id]
        for rule in self.changed:
            plain[_known(rule.get("id"), plain)] = rule
        return [*plain.values(), *self.added]


def _known(rule_id: Any, plain: Mapping[str, Any]) -> str:
    if not isinstance(rule_id, str) or rule_id not in plain:
        raise KeyError(str(rule_id))
    return rule_id


def as_written(rule: Rule) -> dict[str, Any]:
    """Only what differs from saying nothing."""
    plain: dict[str, Any] = msgspec.to_builtins(rule)
    empty = msgspec.to_builtins(Rule(id="", labels={}))
    return {name: value for name, value in plain.items() if name in {"id", "labels"} or value != empty[name]}


def under(pack: Pack, table: str, rules: tuple[Rule, ...]) -> Pack:
    routing = msgspec.structs.replace(pack.routing, version=table, rules=rules)
    return msgspec.structs.replace(pack, routing=routing)


def born_under(pack_version: str, table: str) -> str:
    """One name for a pack version and the table published for it; the pack's own table has none."""
    return f"{pack_version}{SEPARATOR}{table}" if table else pack_version


def parts(born_under: str) -> tuple[str, str]:
    """The pack's version, and the table's id or nothing."""
    version, _, table = born_under.partition(SEPARATOR)
    return version, table
