"""Settlement: somebody known records it, in states the title has, by limits that are limits."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import Finding
from ..expressions import validate
from ..model import DocumentType, Settlement
from ..titles import CLEAR, EXPIRE
from .steps import ROLES
from .subject import Subject

NEEDED_FACTS = ("amount_minor", "currency")


def only_titles_are_settled(subject: Subject) -> Iterator[Finding]:
    for kind, file, _ in _types(subject):
        if not kind.title:
            yield subject.at(file, ("settlement",), "only a title has a settlement: customs' imputations bound it")
        for name in NEEDED_FACTS:
            if name not in kind.facts:
                yield subject.at(file, ("settlement",), f"a settlement needs the fact {name}")


def somebody_records_it(subject: Subject) -> Iterator[Finding]:
    for kind, file, settlement in _types(subject):
        if settlement.recorder not in kind.facts:
            yield subject.at(file, ("settlement", "recorder"), f"unknown fact {settlement.recorder}")
        if settlement.role not in ROLES:
            yield subject.at(file, ("settlement", "role"), f"unknown role {settlement.role}")


def it_is_recorded_in_open_states(subject: Subject) -> Iterator[Finding]:
    for kind, file, settlement in _types(subject):
        for index, key in enumerate(settlement.pay_in):
            state = kind.state(key)
            if state is None:
                yield subject.at(file, ("settlement", "pay_in", index), f"unknown state {key}")
            elif state.kind == "final":
                yield subject.at(file, ("settlement", "pay_in", index), f"{key} is final: nothing is paid after it")


def limits_are_limits(subject: Subject) -> Iterator[Finding]:
    for _, file, settlement in _types(subject):
        for place, message in _faults(settlement):
            yield subject.at(file, ("settlement", *place), message)


def exemptions_parse(subject: Subject) -> Iterator[Finding]:
    for _, file, settlement in _types(subject):
        fault = validate(settlement.exempt) if settlement.exempt is not None else None
        if fault:
            yield subject.at(file, ("settlement", "exempt"), f"not an expression: {fault}")


def titles_end_as_they_must(subject: Subject) -> Iterator[Finding]:
    """Only what has a validity expires; only what is settled is cleared, and clearing is the end."""
    for kind in subject.pack.document_types.values():
        file = subject.type_files[kind.key]
        for move in kind.transitions:
            end = kind.state(move.to)
            if move.event == EXPIRE and kind.validity is None:
                yield subject.at(file, ("transitions",), f"{EXPIRE} from {move.from_}, and no validity passes")
            if move.event == CLEAR and kind.settlement is None:
                yield subject.at(file, ("transitions",), f"{CLEAR} from {move.from_}, and no settlement is reconciled")
            if move.event == CLEAR and end is not None and end.kind != "final":
                yield subject.at(file, ("transitions",), f"{CLEAR} leads to {move.to}, which is not final")


def _faults(settlement: Settlement) -> Iterator[tuple[tuple[str, ...], str]]:
    if not 0 <= settlement.shortfall < 1:
        yield ("shortfall",), "a share from 0, less than 1"
    advance = settlement.advance
    if advance is None:
        return
    if not 0 < advance.share <= 1:
        yield ("advance", "share"), "a share of the title: more than 0, at most 1"
    limits = [one.max_minor for one in advance.higher] + ([] if advance.max_minor is None else [advance.max_minor])
    if any(limit <= 0 for limit in limits):
        yield ("advance",), "a limit is a positive number of minor units"
    if advance.higher and advance.max_minor is None:
        yield ("advance", "higher"), "higher than no limit: max_minor is missing"


def _types(subject: Subject) -> Iterator[tuple[DocumentType, str, Settlement]]:
    for kind in subject.pack.document_types.values():
        if kind.settlement is not None:
            yield kind, subject.type_files[kind.key], kind.settlement


RULES = (
    only_titles_are_settled,
    somebody_records_it,
    it_is_recorded_in_open_states,
    limits_are_limits,
    exemptions_parse,
    titles_end_as_they_must,
)
