"""A change of bank: the body as it stands with another bank in its places, and nothing else of it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kit import strict_json
from kit.errors import Invalid, Violation
from packs import ExpressionError, expressions, pointers
from packs.model import BankChange, Pack

from intake.domain.values import is_plain_text
from intake.domain.wording import violation

REQUEST_BYTES_MAX = 4 * 1024
MEMBERS = ("bank", "branch", "account")
MEMBER_CHARS_MAX = 140
BODY = "/body"


@dataclass(frozen=True, slots=True)
class Request:
    """`places` are the members given; the account of the old bank goes with it when none is."""

    places: Mapping[str, str]
    remarks: str


def read(raw: bytes, language: str) -> Request:
    """Raises TooLarge, Malformed, Invalid."""
    asked = strict_json.bounded_object(raw, REQUEST_BYTES_MAX, "a change of bank")
    faults = list(_faults(asked, language))
    if faults:
        raise Invalid("INVALID_DOCUMENT", violations=faults)
    return Request({name: asked[name] for name in MEMBERS if name in asked}, asked.get("remarks", ""))


def _faults(asked: Mapping[str, Any], language: str) -> Iterator[Violation]:
    if "bank" not in asked:
        yield violation("/bank", "REQUIRED", language)
    for name, value in asked.items():
        place = pointers.pointer([name[:80]])
        if name not in (*MEMBERS, "remarks"):
            yield violation(place, "ADDITIONAL_PROPERTIES", language)
        elif not isinstance(value, str):
            yield violation(place, "TYPE", language, types="string")
        elif not is_plain_text(value) or (name in MEMBERS and len(value) > MEMBER_CHARS_MAX):
            yield violation(place, "OTHER", language)


def changed(terms: BankChange, body: Mapping[str, Any], request: Request, language: str) -> dict[str, Any]:
    """Raises Invalid for what this type of document does not name."""
    after: dict[str, Any] = copy.deepcopy(dict(body))
    for name in MEMBERS:
        place = getattr(terms, name)
        if place and name in request.places:
            _put(after, place, request.places[name])
        elif place and name == "account":
            _drop(after, place)
        elif name in request.places:
            raise Invalid(
                "INVALID_DOCUMENT", violations=[violation(pointers.pointer([name]), "NOT_AMENDABLE", language)]
            )
    return after


def refusals(pack: Pack, terms: BankChange, body: Mapping[str, Any], language: str) -> list[Violation]:
    """What the pack says must hold before a document may leave its bank."""
    return [
        Violation(check.pointer, check.id, pack.label(check.messages, language))
        for check in terms.checks
        if not _holds(check.expression, body)
    ]


def as_asked(terms: BankChange, violations: Sequence[Violation]) -> list[Violation]:
    """Pointers into the body become pointers into the request, where it has the member."""
    places = {BODY + getattr(terms, name): pointers.pointer([name]) for name in MEMBERS if getattr(terms, name)}
    return [Violation(places.get(one.pointer, one.pointer), one.code, one.message) for one in violations]


def _holds(text: str, body: Mapping[str, Any]) -> bool:
    try:
        return expressions.compile(text).holds({"body": body})
    except ExpressionError:
        return False


def _put(body: dict[str, Any], place: str, value: str) -> None:
    *path, last = pointers.steps(place)
    for name in path:
        body = body.setdefault(name, {})
    body[last] = value


def _drop(body: dict[str, Any], place: str) -> None:
    *path, last = pointers.steps(place)
    for name in path:
        body = body.get(name, {})
    body.pop(last, None)
