"""The register: valid documents that wait at the same moment are entered together, in one commit."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kit import clock, ids, telemetry, trace, wire
from kit.database import Database, Tx
from kit.errors import Invalid, PortolanError, Unavailable, fault
from kit.outbox import OutboxEntry
from packs.model import DocumentType
from portolan.intake.v1 import events_pb2

from intake.actions import metrics, referring
from intake.actions.numbers import Numbers
from intake.actions.referring import Referrer, Resolved
from intake.domain import representation, stages
from intake.domain.accesses import Access
from intake.domain.canonical import canonical
from intake.domain.documents import Document
from intake.domain.drafts import Origin, changed_meanwhile
from intake.domain.receipts import ReceiptKey, body_digest
from intake.domain.references import reference
from intake.domain.relations import Link
from intake.domain.rulebook import Candidate, Judgement, Rulebook
from intake.domain.stages import Judged
from intake.store import accesses, attachments, marks, relations, submissions
from intake.store import drafts as draft_store
from intake.store.relations import Related
from intake.store.submissions import Acceptance, EarlierAnswer, Key

TOPIC = "portolan.intake.document.v1"
BATCH_DOCUMENTS_MAX = 100
GATHER_SECONDS = 0.003
WAITING_DOCUMENTS_MAX = 4_000
COMMITS_AT_ONCE = 2
FIRST_ETAG = '"1"'
FIRST_VERSION = 1


@dataclass(frozen=True, slots=True)
class Draft:
    """A judged and valid submission."""

    book: Rulebook
    document_type: str
    candidate: Candidate
    judgement: Judgement
    idempotency_key: str
    fingerprint: bytes
    traceparent: str
    links: Sequence[Link] = ()
    action: str = "submit_document"
    origin: Origin | None = None

    @property
    def key(self) -> Key:
        return self.candidate.filing.submitter_organisation_id, self.idempotency_key


@dataclass(frozen=True, slots=True)
class Answer:
    document_id: str
    document_json: bytes
    etag: str
    replayed: bool


Waiting = tuple[Draft, "asyncio.Future[Answer]"]


class Register:
    def __init__(self, db: Database, key: ReceiptKey) -> None:
        self._db = db
        self._key = key
        self._numbers = Numbers(db)
        self._waiting: asyncio.Queue[Waiting] = asyncio.Queue(WAITING_DOCUMENTS_MAX)
        self._clerks: list[asyncio.Task[None]] = []

    def open(self) -> None:
        self._clerks = [asyncio.create_task(self._work()) for _ in range(COMMITS_AT_ONCE)]

    async def close(self) -> None:
        for clerk in self._clerks:
            clerk.cancel()
        await asyncio.gather(*self._clerks, return_exceptions=True)
        while not self._waiting.empty():
            _, answer = self._waiting.get_nowait()
            answer.set_exception(Unavailable("OVERLOADED", "this process is leaving"))

    async def enter(self, draft: Draft) -> Answer:
        """Returns once the document is committed. Raises Unavailable, Invalid IDEMPOTENCY_KEY_REUSED."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        try:
            self._waiting.put_nowait((draft, answer))
        except asyncio.QueueFull as error:
            raise Unavailable("OVERLOADED", "too many documents are waiting") from error
        return await answer

    async def _work(self) -> None:
        while True:
            batch = [await self._waiting.get()]
            if self._waiting.qsize() < BATCH_DOCUMENTS_MAX:
                await asyncio.sleep(GATHER_SECONDS)
            while len(batch) < BATCH_DOCUMENTS_MAX and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            metrics.WAITING_DOCUMENTS.set(self._waiting.qsize())
            await self._settle(batch)

    async def _settle(self, batch: Sequence[Waiting]) -> None:
        """A document that the database refuses must not sink its neighbours."""
        try:
            answers = await self.record([draft for draft, _ in batch])
        except Unavailable as error:
            _give(batch, [error] * len(batch))
        except Exception as error:
            if len(batch) == 1:
                _give(batch, [error if isinstance(error, PortolanError) else fault("submission_failed", error)])
                return
            metrics.BATCH_FALLBACKS_TOTAL.inc()
            telemetry.log().warning("batch_falls_back", documents=len(batch), reason=repr(error))
            for one in batch:
                await self._settle([one])
        else:
            _give(batch, answers)

    async def record(self, drafts: Sequence[Draft]) -> list[Answer | PortolanError]:
        """One transaction. Those whose key was used before read what its first use was answered."""
        metrics.BATCH_DOCUMENTS.observe(len(drafts))
        numbers = await self._numbers.take(len(drafts))
        acceptances = [self._acceptance(draft, number) for draft, number in zip(drafts, numbers, strict=True)]
        async with self._db.transaction() as tx:
            accepted = await entered(tx, drafts, acceptances)
        used = [one.key for one in acceptances if one.document.id not in accepted]
        earlier = await self.earlier(used) if used else {}
        return [
            _fresh(one) if one.document.id in accepted else replay(earlier[one.key], one.fingerprint)
            for one in acceptances
        ]

    async def prepare(self, draft: Draft) -> Acceptance:
        """For who enters it in a transaction of their own."""
        numbers = await self._numbers.take(1)
        return self._acceptance(draft, numbers[0])

    async def resolved(self, referrer: Referrer, judgement: Judgement) -> Resolved:
        """To what a document refers, and what is wrong with that."""
        return await referring.resolved(self._db, referrer, judgement)

    async def readiness(self, kind: DocumentType, owner: str, body: Mapping[str, Any]) -> list[Judged]:
        """What speaks for a document being ready, the values of others' documents considered."""
        async with self._db.connection() as connection:
            taken = await marks.taken(connection, kind.key, stages.marks(kind, body), owner, stages.rivals(kind))
        return stages.readiness(kind, body, taken)

    async def earlier(self, keys: Sequence[Key]) -> dict[Key, EarlierAnswer]:
        async with self._db.connection() as connection:
            return await submissions.earlier_answers(connection, keys)

    def _acceptance(self, draft: Draft, number: int) -> Acceptance:
        document = _document(draft, number)
        pack = draft.book.pack
        state = draft.book.kind(document.type).state(document.state)
        body = canonical(draft.candidate.body)
        label = pack.label(state.labels, draft.candidate.language) if state else document.state
        return Acceptance(
            document=document,
            idempotency_key=draft.idempotency_key,
            fingerprint=draft.fingerprint,
            submitted_by=draft.candidate.filing.submitted_by,
            answer_head=representation.document_head(document, label),
            body=body,
            receipt=self.receipt(document, document.version, document.submitted_at, body, draft.traceparent),
            lines=draft.judgement.lines,
            event=OutboxEntry(TOPIC, document.id, _submitted(document, draft), draft.traceparent),
        )

    def receipt(self, document: Document, version: int, at: datetime, body: bytes, traceparent: str) -> bytes:
        """Signed for this version, which came at this moment."""
        return self._key.receipt(
            {
                "document_id": document.id,
                "reference": document.reference,
                "type": document.type,
                "version": version,
                "owner_organisation_id": document.owner_organisation_id,
                "submitter_organisation_id": document.submitter_organisation_id,
                "pack_version": document.pack_version,
                "submitted_at": wire.rfc3339(at),
                "body_sha256": body_digest(body),
                "trace_id": trace.trace_id(traceparent),
            }
        )


async def entered(tx: Tx, drafts: Sequence[Draft], acceptances: Sequence[Acceptance]) -> set[str]:
    """All that each accepted document brings; answers their ids."""
    accepted = await submissions.accept(tx, acceptances)
    fresh = [draft for draft in drafts if draft.candidate.document_id in accepted]
    await _refer(tx, fresh)
    await _settle_origins(tx, fresh)
    await accesses.add(tx, [_filed(draft) for draft in fresh])
    return accepted


def _filed(draft: Draft) -> Access:
    filing, document_id = draft.candidate.filing, draft.candidate.document_id
    by = (filing.submitted_by, filing.submitter_organisation_id, "")
    return Access(ids.new_id(), document_id, *by, draft.action, draft.candidate.submitted_at)


async def _refer(tx: Tx, drafts: Sequence[Draft]) -> None:
    references = [
        (draft.candidate.document_id, sha256) for draft in drafts for _, sha256 in draft.judgement.attachments
    ]
    if references:
        await attachments.refer(tx, references)
    await relations.add(tx, [_related(draft) for draft in drafts])


def _related(draft: Draft) -> Related:
    return Related(draft.candidate.document_id, FIRST_VERSION, draft.links, draft.judgement.keys)


async def _settle_origins(tx: Tx, drafts: Sequence[Draft]) -> None:
    """Raises PreconditionFailed: what is not what was judged makes no document."""
    origins = [(draft.origin, draft.candidate.document_id) for draft in drafts if draft.origin is not None]
    if origins and not await draft_store.submitted(tx, origins, clock.now()):
        raise changed_meanwhile()


def replay(earlier: EarlierAnswer, fingerprint: bytes) -> Answer | PortolanError:
    if earlier.fingerprint != fingerprint:
        return Invalid("IDEMPOTENCY_KEY_REUSED", "this Idempotency-Key was used for another request")
    document = representation.document_json(earlier.head, earlier.body, earlier.receipt)
    return Answer(earlier.document_id, document, FIRST_ETAG, replayed=True)


def _fresh(accepted: Acceptance) -> Answer:
    document = representation.document_json(accepted.answer_head, accepted.body, accepted.receipt)
    return Answer(accepted.document.id, document, FIRST_ETAG, replayed=False)


def _document(draft: Draft, number: int) -> Document:
    kind = draft.book.kind(draft.document_type)
    filing, at = draft.candidate.filing, draft.candidate.submitted_at
    return Document(
        id=draft.candidate.document_id,
        reference=reference(kind.prefix, draft.book.year(at), number, draft.book.pack.reference.digits),
        type=kind.key,
        born_under=draft.book.born_under,
        state=kind.initial_state,
        revision=1,
        version=FIRST_VERSION,
        owner_organisation_id=filing.owner.organisation_id,
        submitter_organisation_id=filing.submitter_organisation_id,
        mandate_id=filing.mandate_id,
        submitted_at=at,
        updated_at=at,
    )


def _submitted(document: Document, draft: Draft) -> events_pb2.DocumentSubmitted:
    return events_pb2.DocumentSubmitted(
        document_id=document.id,
        reference=document.reference,
        type=document.type,
        pack_version=document.pack_version,
        version=document.version,
        state=document.state,
        owner_organisation_id=document.owner_organisation_id,
        submitter_organisation_id=document.submitter_organisation_id,
        submitted_by=draft.candidate.filing.submitted_by,
        mandate_id=document.mandate_id,
        submitted_at=wire.timestamp(document.submitted_at),
        facts_json=draft.judgement.facts_json,
        price_version=draft.origin.price_version if draft.origin else "",
        rule_table=document.rule_table,
    )


def _give(batch: Sequence[Waiting], answers: Sequence[Answer | PortolanError]) -> None:
    for (_, waiter), answer in zip(batch, answers, strict=True):
        if waiter.done():
            continue
        if isinstance(answer, PortolanError):
            waiter.set_exception(answer)
        else:
            waiter.set_result(answer)
