"""What goods need, for anybody who asks: the facts of the documents that stand for such goods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kit import clock, strict_json
from kit.errors import Invalid, Malformed, Violation
from packs.model import Labels
from packs.questions import filled

from intake.domain.parties import Filing, Profile
from intake.domain.rulebook import BODY, Candidate, Rulebook, Rulebooks, TypeRules

QUESTION_DEPTH_MAX = 8


@dataclass(frozen=True, slots=True)
class AskedDocument:
    type: str
    labels: Labels
    facts_json: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    documents: Sequence[AskedDocument]
    pack_version: str
    rule_table: str


def ask(rulebooks: Rulebooks, question_json: bytes, language: str) -> Answer:
    """Raises Invalid for goods, a country or a regime that no document could name."""
    asked = strict_json.loads(question_json, depth_max=QUESTION_DEPTH_MAX)
    if not isinstance(asked, dict):
        raise Malformed("MALFORMED", "the question is not an object")
    book = rulebooks.in_force(clock.now())
    documents = [_document(rules, asked, language) for rules in _concerned(book, asked.get("direction"))]
    return Answer(documents, book.pack.version, book.table)


def _concerned(book: Rulebook, direction: Any) -> Sequence[TypeRules]:
    return [
        rules
        for rules in book.types.values()
        if rules.kind.question is not None and rules.kind.direction in {"any", direction}
    ]


def _document(rules: TypeRules, asked: Mapping[str, Any], language: str) -> AskedDocument:
    body, written = filled(rules.kind, asked)
    nobody = Filing(Profile(""), "", "")
    candidate = Candidate("", body, nobody, clock.now(), language)
    judged = rules.judge(candidate)
    if not judged.facts:
        raise Invalid("INVALID_REQUEST", violations=[_about(one, written) for one in judged.violations])
    return AskedDocument(rules.kind.key, rules.kind.labels, judged.facts_json)


def _about(wrong: Violation, written: Mapping[str, str]) -> Violation:
    """The part of the question that was written where the body is at fault."""
    pointer = wrong.pointer.removeprefix(BODY)
    fields = (field for place, field in written.items() if pointer == place or pointer.startswith(f"{place}/"))
    return Violation(f"/{next(fields, '')}", wrong.code, wrong.message)
