"""What a schema says beside a field's shape: to which documents it refers, by which number its document is found."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import Finding
from .schemas import written_nodes
from .subject import Subject

ANY_TYPE = "*"
SEARCH_KINDS = ("container", "consignment", "declaration", "certificate", "ucr")
MARKS = ("x-reference", "x-search")


def marks_are_on_texts(subject: Subject) -> Iterator[Finding]:
    for written, node in written_nodes(subject):
        for mark in MARKS:
            if mark in node.schema and node.schema.get("type") != "string":
                yield subject.at(written.file, (*node.place, mark), f"{mark} marks a string")


def references_lead_to_a_type(subject: Subject) -> Iterator[Finding]:
    for written, node in written_nodes(subject):
        asked = node.schema.get("x-reference")
        for one in str(asked or "").split():
            if not _is_known(subject, one):
                message = f"no document type is, or begins with, {one}"
                yield subject.at(written.file, (*node.place, "x-reference"), message)


def searches_are_of_a_kind(subject: Subject) -> Iterator[Finding]:
    for written, node in written_nodes(subject):
        kind = node.schema.get("x-search")
        if kind is not None and kind not in SEARCH_KINDS:
            message = f"x-search is one of {', '.join(SEARCH_KINDS)}"
            yield subject.at(written.file, (*node.place, "x-search"), message)


def _is_known(subject: Subject, asked: str) -> bool:
    family = asked.rstrip(".")
    types = subject.pack.document_types
    return asked == ANY_TYPE or any(key == family or key.startswith(f"{family}.") for key in types)


RULES = (marks_are_on_texts, references_lead_to_a_type, searches_are_of_a_kind)
