"""A question somebody asks in public, made into the body of the document it is about."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from .model import DocumentType, Question
from .pointers import EACH, Steps, steps
from .pointers import pointer as written_pointer

FIELDS = ("hs_code", "country", "regime", "value", "characteristics")


def bodies(kind: DocumentType) -> Any:
    """The body that stands for every document of the type: its first example."""
    return next(iter(kind.schema.get("examples") or ()), None)


def filled(kind: DocumentType, asked: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The example with the answers put in, and which pointer of it holds the answer to which part of the question."""
    body, written = copy.deepcopy(bodies(kind)), dict[str, str]()
    for field in FIELDS if kind.question else ():
        answer = asked.get(field)
        if answer is None:
            continue
        for pointer in getattr(kind.question, field):
            for found in _places(body, pointer):
                _put(body, found, copy.deepcopy(answer))
                written[written_pointer(found)] = field
    return body, written


def missing(question: Question, body: Any) -> Iterator[tuple[str, str]]:
    """Pointers that lead nowhere in the example."""
    for field in FIELDS:
        for pointer in getattr(question, field):
            if not pointer.startswith("/") or not list(_places(body, pointer)):
                yield field, pointer


def _places(body: Any, pointer: str) -> Iterator[tuple[str, ...]]:
    yield from _below(body, steps(pointer), ())


def _below(value: Any, path: Steps, before: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The last step need not be there yet; those before it must."""
    if len(path) == 1 and isinstance(value, dict):
        yield (*before, path[0])
        return
    if not path:
        return
    first, rest = path[0], path[1:]
    if isinstance(value, list):
        wanted = range(len(value)) if first == EACH else [int(first)] if first.isdigit() else []
        for index in (one for one in wanted if one < len(value)):
            yield from _below(value[index], rest, (*before, str(index)))
    elif isinstance(value, dict) and first in value:
        yield from _below(value[first], rest, (*before, first))


def _put(body: Any, place: tuple[str, ...], answer: Any) -> None:
    for step in place[:-1]:
        body = body[int(step)] if isinstance(body, list) else body[step]
    body[place[-1]] = answer
