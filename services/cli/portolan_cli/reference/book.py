"""The pack's files as plain mappings, and its expressions. Nothing of the engines that the services run takes part."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import packs
import zen

from portolan_cli.pack_file import read

Entry = Mapping[str, Any]


class Book:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.pack: Entry = read(folder / "pack.yaml")
        self.routing: Entry = read(folder / "routing.yaml")
        self.rules: list[Entry] = self.routing["rules"]
        self.risk: Entry = read(folder / "risk.yaml")
        alerts = folder / "alerts.yaml"
        self.alerts: list[Entry] = read(alerts)["alerts"] if alerts.exists() else []
        self.tariffs: list[Entry] = read(folder / "tariff.yaml")["versions"]
        refunds = folder / "refunds.yaml"
        self.refunds: list[Entry] = read(refunds)["refunds"] if refunds.exists() else []
        self.rates: list[Entry] = read(folder / "rates.yaml")["rates"]
        self.notification_rules: list[Entry] = read(folder / "notifications.yaml")["rules"]
        agencies: list[Entry] = read(folder / "agencies.yaml")
        self.laboratories = {str(one["code"]): str(one["laboratory"]) for one in agencies if one.get("laboratory")}
        self.types: dict[str, Entry] = {}
        for place in sorted((folder / "document_types").iterdir()):
            kind = read(place / "type.yaml")
            self.types[kind["key"]] = {**kind, "schema": json.loads((place / "schema.json").read_text("utf-8"))}

    @cached_property
    def codes(self) -> dict[str, set[str]]:
        """What is on each list; generated lists are filled as the pack reader fills them."""
        lists = packs.read(self._folder).lists
        return {name: {code.code for code in listed.codes} for name, listed in lists.items()}

    def rate(self, currency: str, day: str) -> Decimal | None:
        if currency == self.pack["currency"]:
            return Decimal(1)
        known = [one for one in self.rates if one["currency"] == currency and one["effective_from"] <= day]
        return Decimal(str(max(known, key=lambda one: one["effective_from"])["per_unit"])) if known else None

    def tariff(self, day: str) -> Entry:
        return next(
            one
            for one in self.tariffs
            if one["effective_from"] <= day and (not one.get("effective_to") or day < one["effective_to"])
        )


@lru_cache(maxsize=2048)
def _compiled(text: str) -> zen.Expression:
    return zen.compile_expression(text)


def value(text: str, given: Entry) -> Any:
    """None where an expression has no value on these facts."""
    try:
        return _plain(_compiled(text).evaluate(dict(given)))
    except RuntimeError:
        return None


def holds(text: str | None, given: Entry) -> bool:
    return text is None or value(text, given) is True


def _plain(found: Any) -> Any:
    if isinstance(found, float):
        return int(found) if found.is_integer() else found
    if isinstance(found, list):
        return [_plain(one) for one in found]
    if isinstance(found, dict):
        return {name: _plain(one) for name, one in found.items()}
    return found


def many(given: Any) -> list[Any]:
    """A pack may write one thing or a list of them."""
    return list(given) if isinstance(given, list | tuple) else [given]
