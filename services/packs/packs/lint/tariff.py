"""Prices: one version in force on any day, and nothing charged for what does not exist."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from ..amendments import AMENDED
from ..errors import Finding
from ..model import DocumentType, TariffItem, TariffVersion
from ..prices import concerns
from ..source import Place
from .subject import Subject

FILE = "tariff.yaml"
LOCK_DAYS_MAX = 366


def versions_follow_each_other(subject: Subject) -> Iterator[Finding]:
    """Both days of a version belong to it: the next one begins the day after."""
    versions = sorted(enumerate(subject.pack.tariff), key=lambda pair: pair[1].effective_from)
    for (_, earlier), (index, later) in pairwise(versions):
        fault = _between(earlier, later)
        if fault:
            yield subject.at(FILE, ("versions", index, "effective_from"), fault)


def versions_run_forward(subject: Subject) -> Iterator[Finding]:
    for index, version in enumerate(subject.pack.tariff):
        if version.effective_to is not None and version.effective_to < version.effective_from:
            yield subject.at(FILE, ("versions", index, "effective_to"), f"{version.version} ends before it begins")


def the_last_version_stays(subject: Subject) -> Iterator[Finding]:
    last = max(enumerate(subject.pack.tariff), key=lambda pair: pair[1].effective_from, default=None)
    if last is not None and last[1].effective_to is not None:
        place = ("versions", last[0], "effective_to")
        yield subject.at(FILE, place, f"nothing is in force after {last[1].version}: a hole")


def items_are_named_once(subject: Subject) -> Iterator[Finding]:
    for place, item, repeated in _items(subject):
        if repeated:
            yield subject.at(FILE, place, f"{item.code} is given twice")


def items_charge_what_exists(subject: Subject) -> Iterator[Finding]:
    """`import_title.*` is every type whose key begins so; each must meet the milestone."""
    for place, item, _ in _items(subject):
        kinds = _kinds(subject, item.document_type or "")
        if item.document_type and not kinds:
            yield subject.at(FILE, (*place, "document_type"), f"unknown document type {item.document_type}")
        for kind in kinds:
            if item.billed_at and item.billed_at not in _milestones(kind):
                yield subject.at(FILE, (*place, "billed_at"), f"{kind.key} never meets {item.billed_at}")


def _kinds(subject: Subject, named: str) -> list[DocumentType]:
    return [kind for key, kind in subject.pack.document_types.items() if concerns(named, key)]


def amounts_make_sense(subject: Subject) -> Iterator[Finding]:
    for place, item, _ in _items(subject):
        if item.net_minor < 0:
            yield subject.at(FILE, (*place, "net_minor"), "a price cannot be negative")
        for segment, factor in item.segments.items():
            if factor < 0:
                yield subject.at(FILE, (*place, "segments", segment), "a factor cannot be negative")
    for index, version in enumerate(subject.pack.tariff):
        if not 0 <= version.vat_rate < 1:
            yield subject.at(FILE, ("versions", index, "vat_rate"), "a rate is a share such as 0.20")
        if not 0 <= version.price_lock_days <= LOCK_DAYS_MAX:
            message = f"prices hold from 0 to {LOCK_DAYS_MAX} days"
            yield subject.at(FILE, ("versions", index, "price_lock_days"), message)


def _between(earlier: TariffVersion, later: TariffVersion) -> str | None:
    if earlier.effective_to is None or later.effective_from < earlier.effective_to:
        return f"{later.version} overlaps {earlier.version}"
    if later.effective_from > earlier.effective_to:
        return f"a hole between {earlier.version} and {later.version}"
    return None


def _items(subject: Subject) -> Iterator[tuple[Place, TariffItem, bool]]:
    for index, version in enumerate(subject.pack.tariff):
        met: Counter[str] = Counter()
        for number, item in enumerate(version.items):
            met[item.code] += 1
            yield ("versions", index, "items", number), item, met[item.code] > 1


def _milestones(kind: DocumentType) -> set[str]:
    own = {AMENDED} if kind.amendment or kind.bank_change else set()
    return own | {state.key for state in kind.states} | {move.event for move in kind.transitions}


RULES = (
    versions_follow_each_other,
    versions_run_forward,
    the_last_version_stays,
    items_are_named_once,
    items_charge_what_exists,
    amounts_make_sense,
)
