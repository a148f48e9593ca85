"""Public questions: every answer has its place in the example that stands for the type's documents."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import Finding
from ..questions import bodies, missing
from .subject import Subject


def answers_have_their_place(subject: Subject) -> Iterator[Finding]:
    for kind in subject.pack.document_types.values():
        if kind.question is None:
            continue
        for field, pointer in missing(kind.question, bodies(kind)):
            message = f"the first example has no place {pointer}"
            yield subject.at(subject.type_files[kind.key], ("question", field), message)


RULES = (answers_have_their_place,)
