"""XML: a root, in it an element for each document, in that the fields by their names; a list's element comes once for
each item. No document type declaration is taken, so that there are no entities and nothing to fetch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from xml.parsers import expat

from kit.errors import Invalid, Malformed, PortolanError, Violation

from gateway.bulk.form import Column, Form, Path, Schema
from gateway.bulk.rows import Gathering, Row

CHUNK_BYTES = 64 * 1024
DEPTH_MAX = 20
TEXT_CHARS_MAX = 64 * 1024
KEY = "idempotency_key"
DOCUMENT_DEPTH = 2
UNKNOWN: Schema = {}


@dataclass(slots=True)
class _Element:
    name: str
    path: Path
    schema: Schema
    text: list[str] = field(default_factory=list)
    chars: int = 0
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def is_group(self) -> bool:
        return bool(self.counts)


@dataclass(slots=True)
class _Document:
    number: int
    key: str = ""
    gathering: Gathering = field(default_factory=Gathering)
    wrong: PortolanError | None = None


class _Reader:
    """Hears what expat reads, and hands out each document when it is whole."""

    def __init__(self, form: Form) -> None:
        self._form = form
        self._open: list[_Element] = []
        self._document = _Document(0)
        self.whole: list[Row] = []

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        depth = len(self._open) + 1
        if depth > DEPTH_MAX:
            raise Malformed("MALFORMED", f"nested deeper than {DEPTH_MAX}")
        if depth == DOCUMENT_DEPTH:
            self._document = _Document(self._document.number + 1, attributes.get(KEY, "").strip())
        if depth >= DOCUMENT_DEPTH:
            self._refuse_attributes(depth, attributes)
        self._open.append(self._element(name, depth))

    def _refuse_attributes(self, depth: int, attributes: Mapping[str, str]) -> None:
        known = {KEY} if depth == DOCUMENT_DEPTH else set()
        for name in attributes:
            if name not in known and not name.startswith("xmlns"):
                self._fault(f"@{name}", "the fields of a document are elements, not attributes")

    def _element(self, name: str, depth: int) -> _Element:
        if depth <= DOCUMENT_DEPTH:
            return _Element(name, (), self._form.root)
        parent = self._open[-1]
        number = parent.counts.get(name, 0)
        parent.counts[name] = number + 1
        schema = self._form.member(parent.schema, name)
        if schema is None:
            if (depth, name) != (DOCUMENT_DEPTH + 1, KEY):
                self._fault(name, "the type has no such field")
            return _Element(name, (*parent.path, name), UNKNOWN)
        if self._form.kind(schema) == "array":
            return _Element(name, (*parent.path, name, number), self._form.items(schema))
        if number:
            self._fault(name, "it stands here twice, and is no list")
        return _Element(name, (*parent.path, name), schema)

    def text(self, data: str) -> None:
        element = self._open[-1]
        element.chars += len(data)
        if element.chars > TEXT_CHARS_MAX:
            raise Malformed("MALFORMED", f"an element holds at most {TEXT_CHARS_MAX} characters")
        element.text.append(data)

    def end(self, name: str) -> None:
        depth, element = len(self._open), self._open.pop()
        text = "".join(element.text)
        if depth > DOCUMENT_DEPTH and not element.is_group:
            self._put(element, text)
        elif text.strip() and depth < DOCUMENT_DEPTH:
            raise Malformed("MALFORMED", "text stands outside any document")
        elif text.strip():
            self._fault(element.name, "text stands here beside elements")
        if depth == DOCUMENT_DEPTH:
            document = self._document
            self.whole.append(Row(document.number, document.key, document.gathering.body(), document.wrong))

    def _put(self, element: _Element, text: str) -> None:
        """An empty element says nothing, as an empty cell does."""
        if not text.strip():
            return
        if element.path == (KEY,):
            self._document.key = text.strip()
        elif self._document.wrong is None:
            self._document.gathering.put(Column(element.path, self._form.kind(element.schema)), text)

    def _fault(self, name: str, message: str) -> None:
        path = "".join(f"/{step}" for step in (*self._open[-1].path, name[:80]))
        told = Violation(f"/body{path}", "UNREADABLE", message)
        self._document.wrong = self._document.wrong or Invalid("INVALID_DOCUMENT", violations=[told])


def documents(raw: bytes, form: Form) -> Iterator[Row]:
    """One at a time. Raises Malformed for what is no XML, or more of it than is taken."""
    reader, parser = _Reader(form), _parser()
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.CharacterDataHandler = reader.text
    found = 0
    for start in range(0, len(raw) or 1, CHUNK_BYTES):
        _feed(parser, raw[start : start + CHUNK_BYTES], is_last=start + CHUNK_BYTES >= len(raw))
        found += len(reader.whole)
        yield from reader.whole
        reader.whole.clear()
    if not found:
        raise Malformed("MALFORMED", "the file has no document")


def _feed(parser: expat.XMLParserType, chunk: bytes, *, is_last: bool) -> None:
    try:
        parser.Parse(chunk, is_last)
    except expat.ExpatError as error:
        raise Malformed("MALFORMED", f"no well-formed XML in UTF-8: {error}") from error


def _parser() -> expat.XMLParserType:
    parser = expat.ParserCreate("UTF-8")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    return parser


def _refuse_doctype(*_: object) -> None:
    raise Malformed("MALFORMED", "no document type declaration is taken")
