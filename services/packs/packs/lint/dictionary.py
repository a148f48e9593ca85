"""Every field is a known element of the trade, and every code that stands for another says for which."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product

from ..codes import Code
from ..dictionary import NO_CODE, CarriedField, Carry, Described, Entry, described, international, qualifiers
from ..errors import Finding
from ..schemas import Field
from .subject import Subject

FILE = "dictionary.yaml"


def every_field_has_an_element(subject: Subject) -> Iterator[Finding]:
    for one in _described(subject):
        if one.entry is None:
            kind = subject.pack.document_types[one.type]
            message = f"{one.field.pointer} has no entry in {FILE}: say which element of the trade it is"
            yield subject.at(subject.schema_file(kind), (), message)


def elements_are_known(subject: Subject) -> Iterator[Finding]:
    known = {*international(), *(own.id for own in subject.pack.dictionary.elements)}
    for index, entry in enumerate(subject.pack.dictionary.fields):
        if entry.element not in known:
            message = f"{entry.element} is neither a UN/CEFACT element nor one of this pack's"
            yield subject.at(FILE, ("fields", index, "element"), message)
        if entry.qualifier and entry.qualifier not in qualifiers():
            yield subject.at(FILE, ("fields", index, "qualifier"), f"unknown qualifier {entry.qualifier}")


def own_elements_are_of_the_pack(subject: Subject) -> Iterator[Finding]:
    prefix = f"{subject.pack.name}:"
    for index, own in enumerate(subject.pack.dictionary.elements):
        if not own.id.startswith(prefix):
            yield subject.at(FILE, ("elements", index, "id"), f"the pack's own elements begin with {prefix}")


def entries_are_of_use(subject: Subject) -> Iterator[Finding]:
    used = {one.position for one in _described(subject)}
    for index, entry in enumerate(subject.pack.dictionary.fields):
        if index not in used:
            yield subject.at(FILE, ("fields", index, "path"), f"no field is described by {entry.path}")
        for key in entry.types:
            if key not in subject.pack.document_types:
                yield subject.at(FILE, ("fields", index, "types"), f"unknown document type {key}")


def own_codes_are_mapped(subject: Subject) -> Iterator[Finding]:
    """A field whose codes have international ones has one for each."""
    for one in _described(subject):
        if one.entry is not None and one.position is not None:
            for code in _unmapped(one.field, one.entry):
                message = f"{one.type}{one.field.pointer}: {code} has no code of {one.entry.standard}, nor `{NO_CODE}`"
                yield subject.at(FILE, ("fields", one.position, "codes"), message)


def mapped_codes_name_their_standard(subject: Subject) -> Iterator[Finding]:
    for index, entry in enumerate(subject.pack.dictionary.fields):
        if entry.codes and not entry.standard:
            yield subject.at(FILE, ("fields", index), "codes of which standard? say it as `standard`")


def list_codes_are_mapped(subject: Subject) -> Iterator[Finding]:
    lists = subject.pack.lists
    for name, codes in lists.items():
        if codes.maps_to is None:
            continue
        file, target = f"lists/{name}.yaml", lists.get(codes.maps_to)
        if target is None:
            yield subject.at(file, ("maps_to",), f"unknown list {codes.maps_to}")
            continue
        for index, code in enumerate(codes.codes):
            fault = _mapping_fault(code, target.list, target.members)
            if fault:
                yield subject.at(file, ("codes", index), fault)


def carried_fields_are_the_same_element(subject: Subject) -> Iterator[Finding]:
    elements = {(one.type, one.field.pointer): one.entry.element for one in _described(subject) if one.entry}
    for index, carry in enumerate(subject.pack.dictionary.carried):
        for fault in _carry_faults(subject, carry, elements):
            yield subject.at(FILE, ("carried", index), fault)


def _carry_faults(subject: Subject, carry: Carry, elements: Mapping[tuple[str, str], str]) -> Iterator[str]:
    for key in (carry.into, *carry.from_):
        if key not in subject.pack.document_types:
            yield f"unknown document type {key}"
            return
    if (carry.into, carry.link) not in elements:
        yield f"{carry.into} has no field {carry.link}"
    for field, source in product(carry.fields, carry.from_):
        yield from _field_faults(carry, field, source, elements)


def _field_faults(
    carry: Carry, field: CarriedField, source: str, elements: Mapping[tuple[str, str], str]
) -> Iterator[str]:
    into, origin = elements.get((carry.into, field.path)), elements.get((source, field.origin))
    if into is None:
        yield f"{carry.into} has no field {field.path}"
    elif origin is None:
        yield f"{source} has no field {field.origin}"
    elif into != origin:
        yield f"{field.path} is {into}, {field.origin} of {source} is {origin}: not the same element"
    if field.path.count("*") > 1 or field.path.count("*") != field.origin.count("*"):
        yield f"{field.path} and {field.origin} do not lead through one list each, or through none"
    elif "*" in field.path and not carry.line_key:
        yield f"{field.path} is of a line: say by which line_key lines answer each other"


def _mapping_fault(code: Code, target: str, members: frozenset[str]) -> str:
    mapped = code.attributes.get("mapped")
    if mapped is None:
        return f"{code.code} is not mapped into the list {target}: give its code, or `mapped: {NO_CODE}`"
    return "" if mapped == NO_CODE or mapped in members else f"{code.code} is mapped to {mapped}, which {target} lacks"


def _unmapped(field: Field, entry: Entry) -> list[str]:
    own = [str(code) for code in field.schema.get("enum") or ()]
    return [code for code in own if code not in entry.codes] if entry.codes else []


def _described(subject: Subject) -> Iterator[Described]:
    schemas = {key: kind.schema for key, kind in subject.pack.document_types.items()}
    return described(schemas, subject.pack.dictionary)


RULES = (
    every_field_has_an_element,
    elements_are_known,
    own_elements_are_of_the_pack,
    entries_are_of_use,
    own_codes_are_mapped,
    mapped_codes_name_their_standard,
    list_codes_are_mapped,
    carried_fields_are_the_same_element,
)
