"""What a document's life does to its case. The consumer brings the transaction, so that effect and memory are one."""

from __future__ import annotations

from kit import clock, ids
from kit.database import Tx
from kit.errors import Unavailable

from routing import domain, store
from routing.domain import Proposal, Resumption, Submission

from .said import entries, say


async def open_case(tx: Tx, rulebooks: store.Rulebooks, document: Submission) -> None:
    """Once per document, whatever is heard twice. One that is filed in stages waits until it is whole."""
    rulebook = await rulebooks.of(document.pack_version, tx)
    if not rulebook.type(document.document_type).is_filed_in_stages:
        await open_completed(tx, rulebooks, document)


async def open_completed(tx: Tx, rulebooks: store.Rulebooks, document: Submission) -> None:
    now, rulebook = clock.now(), await rulebooks.of(document.pack_version, tx)
    history = await store.history(tx, document.owner_organisation_id, document.facts, rulebook.pack.risk, now)
    case, facts = domain.open_case(document, rulebook, now, ids.new_id, history)
    await store.open_case(tx, case, entries(case, facts))


async def amend(tx: Tx, rulebooks: store.Rulebooks, proposal: Proposal) -> None:
    """The case of a document was heard of before anything that may change it."""
    before = await store.case_of_document(tx, proposal.document_id)
    if before is None:
        raise Unavailable("OVERLOADED", f"document {proposal.document_id} has no case yet")
    now, rulebook = clock.now(), await rulebooks.of(before.document.pack_version, tx)
    history = await store.history(tx, before.document.owner_organisation_id, proposal.facts, rulebook.pack.risk, now)
    case, facts = domain.amend(before, proposal, rulebook, now, ids.new_id, history)
    await store.save_case(tx, before, case)
    await say(tx, case, facts)


async def resume(tx: Tx, rulebooks: store.Rulebooks, resumption: Resumption) -> None:
    """The document's new version takes its closed case back to one of its steps."""
    before = await store.case_of_document(tx, resumption.document_id)
    if before is None:
        raise Unavailable("OVERLOADED", f"document {resumption.document_id} has no case yet")
    rulebook = await rulebooks.of(before.document.pack_version, tx)
    now, owner = clock.now(), before.document.owner_organisation_id
    history = await store.history(tx, owner, resumption.facts, rulebook.pack.risk, now)
    case, facts = domain.resume(before, resumption, rulebook, now, ids.new_id, history)
    await store.save_case(tx, before, case)
    await say(tx, case, facts)


async def withdraw(tx: Tx, document: Submission) -> None:
    await _end(tx, document, domain.WITHDRAWN)


async def cancel(tx: Tx, document: Submission) -> None:
    await _end(tx, document, domain.CANCELLED)


async def _end(tx: Tx, document: Submission, outcome: str) -> None:
    """Tasks and their clocks end with the case. `document` stands in where its submission was not heard yet."""
    before = await store.case_of_document(tx, document.document_id)
    if before is None:
        unheard = domain.ended_unheard(document, outcome, clock.now(), ids.new_id)
        if await store.open_case(tx, unheard, ()):
            return
        before = await store.case_of_document(tx, document.document_id)
        assert before is not None  # noqa: S101 - the insert met it
    case, facts = domain.end(before, outcome, clock.now())
    await store.save_case(tx, before, case)
    await say(tx, case, facts)
