"""The data dictionary: which element of the trade each field of a document is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import yaml

from .schemas import Field, fields
from .value import Labels, Value

AUTHORITY = "UN/CEFACT"
ANYWHERE = "**"
NO_CODE = "none"
_CATALOGUE = Path(__file__).with_name("elements.yaml")


class OwnElement(Value, frozen=True, kw_only=True):
    """What no international directory names, defined by the pack."""

    id: str
    labels: Labels
    definition: Labels


class Entry(Value, frozen=True, kw_only=True):
    """`path` is a JSON pointer with `*` for every item, or `**/name` for a field so named that nothing closer says.
    `codes` gives for each of the field's own codes the one of `standard`, or NO_CODE."""

    path: str
    element: str
    qualifier: str = ""
    types: tuple[str, ...] = ()
    standard: str = ""
    codes: dict[str, str] = {}

    def fits(self, type_key: str, path: str) -> bool:
        if self.types and type_key not in self.types:
            return False
        return path == self.path or (self.is_general and path.endswith(self.path.removeprefix(ANYWHERE)))

    @property
    def is_general(self) -> bool:
        return self.path.startswith(f"{ANYWHERE}/")

    @property
    def closeness(self) -> tuple[bool, bool, int]:
        return (not self.is_general, bool(self.types), len(self.path))


class CarriedField(Value, frozen=True, kw_only=True):
    """`path` has the value that `source` had in the document before; the same place when `source` is empty. What is
    `enforced` cannot be given otherwise: who knows better amends the document before."""

    path: str
    source: str = ""
    enforced: bool = False

    @property
    def origin(self) -> str:
        return self.source or self.path


class Carry(Value, frozen=True, kw_only=True):
    """What a document has from those it refers to at `link`. Lines answer lines with the same `line_key`."""

    into: str
    link: str
    from_: tuple[str, ...] = msgspec.field(name="from")
    line_key: str = ""
    fields: tuple[CarriedField, ...]

    @property
    def link_member(self) -> str:
        return self.link.rpartition("/")[2]


class Dictionary(Value, frozen=True, kw_only=True):
    elements: tuple[OwnElement, ...] = ()
    fields: tuple[Entry, ...] = ()
    carried: tuple[Carry, ...] = ()

    def carried_into(self, type_key: str) -> tuple[Carry, ...]:
        return tuple(carry for carry in self.carried if carry.into == type_key)

    def position(self, type_key: str, path: str) -> int | None:
        """Of the entry that describes a field most closely."""
        fitting = (index for index, entry in enumerate(self.fields) if entry.fits(type_key, path))
        return max(fitting, key=lambda index: self.fields[index].closeness, default=None)


class Described(NamedTuple):
    """One field of one document type, with its entry and the entry's position; None where the dictionary is silent."""

    type: str
    field: Field
    position: int | None
    entry: Entry | None


@cache
def international() -> Mapping[str, str]:
    """The names of UN/CEFACT's elements, by tag."""
    names: Mapping[str, str] = _catalogue()["elements"]
    return names


@cache
def qualifiers() -> frozenset[str]:
    """Those an entry may give, as `3035 SE`."""
    groups: Mapping[str, Mapping[str, str]] = _catalogue()["qualifiers"]
    return frozenset(f"{group} {code}" for group, codes in groups.items() for code in codes)


def described(schemas: Mapping[str, Mapping[str, Any]], dictionary: Dictionary) -> Iterator[Described]:
    """Every field of every type. `schemas` by type key."""
    for type_key, schema in schemas.items():
        for field in fields(schema):
            position = dictionary.position(type_key, field.pointer)
            entry = dictionary.fields[position] if position is not None else None
            yield Described(type_key, field, position, entry)


def identified(element: str) -> str:
    """The element's full name for the outside: `UN/CEFACT 7357`, or the pack's own id as it is."""
    return f"{AUTHORITY} {element}" if element in international() else element


@cache
def _catalogue() -> Mapping[str, Any]:
    catalogue: Mapping[str, Any] = yaml.safe_load(_CATALOGUE.read_text("utf-8"))
    return catalogue
