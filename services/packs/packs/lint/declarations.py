"""A declaration mirrors the customs system: its body says what the engine reads, and customs alone moves it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import Finding
from ..model import DocumentType
from .subject import Subject

MOVED_BY = "customs"
MEMBERS = ("number", "company_number", "office", "registered_on", "lines")
LINE_MEMBERS = ("line", "quantity", "value")
TITLE_MEMBERS = ("title", "title_line")


def one_type_mirrors_declarations(subject: Subject) -> Iterator[Finding]:
    for kind in _declarations(subject)[1:]:
        yield subject.at(subject.type_files[kind.key], ("declaration",), "another type mirrors declarations already")


def effects_are_of_declarations(subject: Subject) -> Iterator[Finding]:
    for kind in subject.pack.document_types.values():
        if not kind.declaration and any(move.effect for move in kind.transitions):
            message = "only a declaration has effects on titles"
            yield subject.at(subject.type_files[kind.key], ("transitions",), message)


def customs_alone_moves_declarations(subject: Subject) -> Iterator[Finding]:
    for kind in _declarations(subject):
        file = subject.type_files[kind.key]
        for move in kind.transitions:
            if move.actor != MOVED_BY:
                message = f"{move.event} is made by {move.actor}: {MOVED_BY} alone moves a declaration"
                yield subject.at(file, ("transitions",), message)
        if kind.title or kind.steps or kind.amendment:
            yield subject.at(file, ("declaration",), "a declaration is no title, has no steps and is not amended")


def bodies_say_what_is_read(subject: Subject) -> Iterator[Finding]:
    for kind in _declarations(subject):
        file, line = subject.schema_file(kind), _line(kind)
        for name in _missing(kind.schema, MEMBERS):
            yield subject.at(file, ("required",), f"a declaration needs a required {name}")
        for name in _missing(line, LINE_MEMBERS):
            yield subject.at(file, ("properties", "lines"), f"a declaration's line needs a required {name}")
        properties = line.get("properties") or {}
        for name in TITLE_MEMBERS:
            if name not in properties:
                yield subject.at(file, ("properties", "lines"), f"a declaration's line may name a {name}")
        if "x-reference" not in (properties.get("title") or {"x-reference": ""}):
            yield subject.at(file, ("properties", "lines"), "a declaration's line names its title by x-reference")


def _declarations(subject: Subject) -> list[DocumentType]:
    return [kind for kind in subject.pack.document_types.values() if kind.declaration]


def _line(kind: DocumentType) -> Mapping[str, Any]:
    lines = (kind.schema.get("properties") or {}).get("lines") or {}
    items: Mapping[str, Any] = lines.get("items") or {}
    return items


def _missing(schema: Mapping[str, Any], names: tuple[str, ...]) -> list[str]:
    return [name for name in names if name not in (schema.get("required") or ())]


RULES = (
    one_type_mirrors_declarations,
    effects_are_of_declarations,
    customs_alone_moves_declarations,
    bodies_say_what_is_read,
)
