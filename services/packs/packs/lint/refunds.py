"""Refunds give back a share of something that is charged, on a move that a document can make."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import Finding
from ..model import DocumentType, Refund
from ..prices import concerns
from .subject import Subject

FILE = "refunds.yaml"


def refunds_are_named_once(subject: Subject) -> Iterator[Finding]:
    keys = [refund.key for refund in subject.pack.refunds]
    for place, refund in _refunds(subject):
        if refund.key in keys[: place[1]]:
            yield subject.at(FILE, (*place, "key"), f"{refund.key} is given twice")


def refunds_are_a_share(subject: Subject) -> Iterator[Finding]:
    for place, refund in _refunds(subject):
        if not 0 < refund.share <= 1:
            yield subject.at(FILE, (*place, "share"), "a share is more than 0 and at most 1")


def refunds_follow_moves(subject: Subject) -> Iterator[Finding]:
    for place, refund in _refunds(subject):
        kinds = _kinds(subject, refund)
        if not kinds:
            yield subject.at(FILE, (*place, "document_types"), "no document type is meant")
            continue
        starts = {move.from_ for kind in kinds for move in kind.transitions if move.event == refund.event}
        if not starts:
            yield subject.at(FILE, (*place, "event"), f"none of these types ever makes the move {refund.event}")
        for state in refund.from_states:
            if starts and state not in starts:
                yield subject.at(FILE, (*place, "from_states"), f"{refund.event} never leads away from {state}")


def refunds_concern_what_is_charged(subject: Subject) -> Iterator[Finding]:
    items = [item for version in subject.pack.tariff for item in version.items]
    for place, refund in _refunds(subject):
        kinds = _kinds(subject, refund)
        charged = {item.code for item in items for kind in kinds if concerns(item.document_type or "", kind.key)}
        if kinds and not charged:
            yield subject.at(FILE, place, "nothing is charged for these types")
        for tariff in refund.tariffs:
            if kinds and tariff not in charged:
                yield subject.at(FILE, (*place, "tariffs"), f"{tariff} is never charged for these types")


def _refunds(subject: Subject) -> Iterator[tuple[tuple[str, int], Refund]]:
    for index, refund in enumerate(subject.pack.refunds):
        yield ("refunds", index), refund


def _kinds(subject: Subject, refund: Refund) -> list[DocumentType]:
    types = subject.pack.document_types.items()
    return [kind for key, kind in types if any(concerns(named, key) for named in refund.document_types)]


RULES = (refunds_are_named_once, refunds_are_a_share, refunds_follow_moves, refunds_concern_what_is_charged)
