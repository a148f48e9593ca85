"""Draw: what a declaration's move takes from titles, or gives back, in the move's own transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec
from kit import clock, outbox, wire
from kit.database import Tx
from kit.errors import PortolanError

from intake.actions import accessing, conditions, facts, imputing
from intake.actions.imputing import By
from intake.domain import declarations
from intake.domain.conditions import RELEASE
from intake.domain.declarations import Line, Recorded, Told
from intake.domain.documents import Document, Item, transition
from intake.domain.imputations import ImputationState
from intake.domain.relations import Target
from intake.domain.rulebook import Rulebooks
from intake.domain.wording import violation
from intake.store import conditions as releases
from intake.store import documents, ledgers, relations

ACTION = "tell_declaration"
GIVE_BACK, RESERVE, LET_GO = "give_back", "reserve", "release"


async def move(tx: Tx, rulebooks: Rulebooks, document: Document, recorded: Recorded, by: By) -> Document:
    """The declaration's document is locked. Raises Refused, Invalid: then nothing has happened."""
    kind, told, now = rulebooks.kind(document), recorded.told, clock.now()
    made = transition(document, kind, told.move)
    if made.effect is not None:
        await _effect(tx, rulebooks, document, made.effect, told, by)
    moved = replace(document.follow(kind, made, now), items=document.items)
    item = Item("declaration_event", now, actor=by.subject, agency=by.agency, detail=_told(told))
    items = [item, item.moving(made)]
    await documents.save(tx, moved, items)
    await outbox.append_many(tx, [facts.document_decided(document, made, now)])
    await accessing.noted(tx, by.access, ACTION, document.id)
    return replace(moved, items=document.items + len(items))


async def body_of(tx: Tx, document: Document) -> Mapping[str, Any]:
    body, _ = await documents.content(tx, document.id, document.version)
    return dict(msgspec.json.decode(body))


async def _effect(tx: Tx, rulebooks: Rulebooks, document: Document, effect: str, told: Told, by: By) -> None:
    """Titles are locked in one order by everybody, so that two declarations cannot wait for each other."""
    targets = sorted(await relations.targets_of(tx, document.id, document.version), key=lambda one: one.id)
    held = [await documents.lock(tx, one.id) for one in targets]
    if effect == LET_GO:
        await _let_go(tx, rulebooks, document, [one for one in held if one is not None], told, by)
        return
    if effect == GIVE_BACK:
        await _give_back(tx, rulebooks, targets, told, by)
        return
    titles = {name: one.id for one in targets for name in (one.id, one.reference)}
    names = {one.id: one.reference for one in targets}
    for line in declarations.lines(await body_of(tx, document), titles, reserve=effect == RESERVE):
        try:
            await _take(tx, rulebooks, line, by)
        except PortolanError as refusal:
            raise _of_line(refusal, line, names[line.title_document_id], by.language) from refusal


async def _take(tx: Tx, rulebooks: Rulebooks, line: Line, by: By) -> None:
    terms = line.terms
    earlier = await ledgers.imputation_of(tx, line.title_document_id, terms.declaration_number, terms.declaration_line)
    if earlier is None or not declarations.stands(earlier, terms):
        await imputing.take(tx, rulebooks, by, line.title_document_id, terms)


async def _give_back(tx: Tx, rulebooks: Rulebooks, targets: Sequence[Target], told: Told, by: By) -> None:
    for one in await ledgers.imputations_of(tx, [target.id for target in targets], told.number):
        if one.state is not ImputationState.CANCELLED:
            title = await imputing.locked(tx, one.document_id)
            await imputing.give_back(tx, rulebooks, title, one, by, told.remarks)


async def _let_go(
    tx: Tx, rulebooks: Rulebooks, document: Document, titles: Sequence[Document], told: Told, by: By
) -> None:
    """The goods leave: what their titles' approvals depend on is met, or nothing leaves."""
    now = clock.now()
    for title in titles:
        if rulebooks.kind(title).title:
            met = await conditions.hold(tx, rulebooks, title, RELEASE, {}, by.language)
            await releases.release(tx, title.id, (told.number, document.id), now, met)
            detail = {"declaration_number": told.number, "declaration": document.reference}
            await documents.note(tx, title.id, [Item("goods_released", now, by.subject, by.agency, detail=detail)])


def _of_line(refusal: PortolanError, line: Line, title: str, language: str) -> PortolanError:
    """The same refusal, naming the line of the declaration and its title."""
    place = f"{declarations.BODY}/lines/{line.place}"
    named = {**refusal.facts, "declaration_line": line.terms.declaration_line, "title": title}
    faults = [replace(one, pointer=place + one.pointer) for one in refusal.violations]
    if refusal.code == "QUANTITY_EXCEEDED":
        left = {name: refusal.facts.get(name, "") for name in ("remaining", "unit")}
        faults.append(violation(f"{place}/quantity", refusal.code, language, **left))
    return type(refusal)(refusal.code, refusal.detail, violations=faults, facts=named)


def _told(told: Told) -> Mapping[str, Any]:
    detail = {"event_id": told.event_id, "event": told.event, "occurred_at": wire.rfc3339(told.occurred_at)}
    return detail | ({"remarks": told.remarks} if told.remarks else {})
