"""What a document's life does to its case. The consumer brings the transaction, so that effect and memory are one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kit import clock, ids
from kit.database import Tx
from kit.errors import Unavailable

from routing import domain, store
from routing.domain import Proposal, Resumption, Rulebook, Submission

from .said import entries, say

# Each is compared with those before it.
JUDGED_AT_ONCE_MAX = 50


@dataclass(frozen=True)
class Filed:
    """A document as it was submitted, or `is_whole` at last where it is filed in stages."""

    document: Submission
    is_whole: bool
    traceparent: str


async def open_cases(tx: Tx, rulebooks: store.Rulebooks, filed: Sequence[Filed]) -> None:
    """Once per document, whatever is heard twice. One that is filed in stages waits until it is whole."""
    waiting = [(one, await rulebooks.of(one.document.pack_version, tx)) for one in filed]
    left = [(one, book) for one, book in waiting if one.is_whole or not _is_in_stages(one.document, book)]
    while left:
        left = left[await _open_first(tx, left) :]


def _is_in_stages(document: Submission, rulebook: Rulebook) -> bool:
    return rulebook.type(document.document_type).is_filed_in_stages


async def _open_first(tx: Tx, left: Sequence[tuple[Filed, Rulebook]]) -> int:
    """As many as are judged by a past that none of them changes; answers how many."""
    now, asked = clock.now(), left[:JUDGED_AT_ONCE_MAX]
    pasts = await store.pasts(tx, [store.Question(one.document, book.pack.risk, now) for one, book in asked])
    documents = [one.document for one, _ in asked]
    count = _independent(documents, pasts)
    new = [
        (case, [replace(entry, traceparent=one.traceparent) for entry in entries(case, facts)])
        for (one, book), past in zip(asked[:count], pasts, strict=False)
        for case, facts in [domain.open_case(one.document, book, now, ids.new_id, past.history)]
    ]
    await store.open_cases(tx, new)
    return count


def _independent(documents: Sequence[Submission], pasts: Sequence[store.Past]) -> int:
    """How many at the beginning neither change each other's past nor are the same document."""
    for place, document in enumerate(documents):
        for earlier in range(place):
            is_same = document.document_id == documents[earlier].document_id
            if is_same or pasts[place].is_changed_by(document, documents[earlier], pasts[earlier]):
                return place
    return len(documents)


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
        if await store.open_cases(tx, [(unheard, ())]):
            return
        before = await store.case_of_document(tx, document.document_id)
        assert before is not None  # noqa: S101 - the insert met it
    case, facts = domain.end(before, outcome, clock.now())
    await store.save_case(tx, before, case)
    await say(tx, case, facts)
