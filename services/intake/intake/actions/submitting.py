"""Submit and simulate: who files, for whom, by which rules; what is valid goes to the register."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from kit import clock, ids, trace
from kit.auth import Principal, TokenVerifier
from kit.errors import Forbidden, Invalid, PortolanError, Unavailable, Violation, fault

from intake.actions import metrics
from intake.actions.directory import Directory
from intake.actions.referring import Referrer
from intake.actions.register import Answer, Draft, Register, replay
from intake.domain import envelope, stages
from intake.domain.drafts import Origin
from intake.domain.envelope import Envelope
from intake.domain.parties import Filing
from intake.domain.rulebook import BODY, Candidate, Judgement, Rulebook, Rulebooks
from intake.store.submissions import EarlierAnswer, Key

# Whoever may file anything; which documents, their types say.
FILERS = ("declarant", "applicant")

Outcome = Answer | PortolanError
Parties = tuple[str, str, str, str]
"""Owner, submitter, the submitting subject, document type: what one question to the directory is about."""


@dataclass(frozen=True, slots=True)
class Submission:
    access_token: str
    idempotency_key: str
    request: bytes
    language: str
    traceparent: str
    origin: Origin | None = None

    @property
    def fingerprint(self) -> bytes:
        return envelope.fingerprint(self.request if self.origin is None else self.origin.request)


@dataclass(frozen=True, slots=True)
class Opened:
    """A submission whose sender is known; `envelope` may be a refusal that an earlier answer overrules."""

    submission: Submission
    caller: Principal
    language: str
    envelope: Envelope | PortolanError

    @property
    def key(self) -> Key:
        return self.caller.organisation_id, self.submission.idempotency_key

    @property
    def parties(self) -> Parties | None:
        if isinstance(self.envelope, PortolanError):
            return None
        owner = self.envelope.on_behalf_of or self.caller.organisation_id
        return owner, self.caller.organisation_id, self.caller.subject, self.envelope.type


@dataclass(frozen=True, slots=True)
class Simulation:
    errors: Sequence[Violation]
    document_type: str
    owner_organisation_id: str
    facts_json: bytes
    pack_version: str
    rule_table: str
    readiness: Sequence[ShownRequirement] = ()


@dataclass(frozen=True, slots=True)
class ShownRequirement:
    """In the caller's language."""

    id: str
    pointer: str
    weight: int
    is_met: bool
    label: str
    missing: str


class SubmissionDesk:
    def __init__(self, rulebooks: Rulebooks, verifier: TokenVerifier, directory: Directory, register: Register) -> None:
        self._rulebooks = rulebooks
        self._verifier = verifier
        self._directory = directory
        self._register = register

    async def submit(self, submissions: Sequence[Submission]) -> list[Outcome]:
        """An outcome for each, in order. Every one stands for itself."""
        spans = [trace.start("submit document", "server", one.traceparent) for one in submissions]
        traced = [replace(one, traceparent=span.traceparent) for one, span in zip(submissions, spans, strict=True)]
        outcomes = await self._outcomes(traced)
        for outcome, span in zip(outcomes, spans, strict=True):
            metrics.SUBMISSIONS_TOTAL.labels(_word(outcome)).inc()
            span.end(outcome.code if isinstance(outcome, PortolanError) else "")
        return outcomes

    async def _outcomes(self, submissions: Sequence[Submission]) -> list[Outcome]:
        opened = [await self._open(submission) for submission in submissions]
        filings = await self._filings({one.parties for one in opened if isinstance(one, Opened) and one.parties})
        drafts = [self._draft(one, filings) if isinstance(one, Opened) else one for one in opened]
        pairs = zip(opened, drafts, strict=True)
        drafts = await asyncio.gather(*(self._referring(one, draft) for one, draft in pairs))
        outcomes = await asyncio.gather(*(self._enter(draft) for draft in drafts))
        return await self._overruled(opened, outcomes)

    async def simulate(self, caller: Principal, request: bytes) -> Simulation:
        """By the very rules of production. Raises what no correction of the body would heal."""
        book = self._rulebooks.in_force(clock.now())
        try:
            asked = self._read(request, caller.language)
        except Invalid as misshapen:
            return Simulation(misshapen.violations, "", "", b"", book.pack.version, book.table)
        owner = asked.on_behalf_of or caller.organisation_id
        stages.require_filer(book.kind(asked.type), caller.roles)
        filing = await self._directory.filing(owner, caller.organisation_id, caller.subject, asked.type)
        candidate = Candidate("", asked.body, filing, clock.now(), caller.language)
        judgement = book.rules(asked.type, caller.language).judge(candidate)
        resolved = await self._register.resolved(Referrer(caller, owner, "", caller.language), judgement)
        violations = [*judgement.violations, *resolved.violations]
        shown = await self._readiness(book, asked, owner, caller.language)
        return Simulation(violations, asked.type, owner, judgement.facts_json, book.pack.version, book.table, shown)

    async def _readiness(self, book: Rulebook, asked: Envelope, owner: str, language: str) -> list[ShownRequirement]:
        kind, label = book.kind(asked.type), book.pack.label
        judged = await self._register.readiness(kind, owner, asked.body) if kind.readiness else []
        return [
            ShownRequirement(
                id=one.requirement.id,
                pointer=BODY + one.requirement.pointer,
                weight=one.requirement.weight,
                is_met=one.is_met,
                label=label(one.requirement.labels, language),
                missing="" if one.is_met else label(one.requirement.missing, language),
            )
            for one in judged
        ]

    async def _open(self, submission: Submission) -> Opened | PortolanError:
        try:
            caller = await self._verifier.verify(submission.access_token)
            caller.require(*FILERS)
            envelope.idempotency_key(submission.idempotency_key)
        except PortolanError as error:
            return error
        language = submission.language or caller.language
        try:
            return Opened(submission, caller, language, self._read(submission.request, language))
        except PortolanError as error:
            return Opened(submission, caller, language, error)

    def _read(self, request: bytes, language: str) -> Envelope:
        """A type nobody knows is the request's fault, before it is anybody's mandate. Raises Malformed or Invalid."""
        asked = envelope.read(request, language)
        self._rulebooks.in_force(clock.now()).filed_by_traders(asked.type, language)
        return asked

    async def _filings(self, parties: set[Parties]) -> Mapping[Parties, Filing | PortolanError]:
        asked = list(parties)
        found = await asyncio.gather(*(self._filing(one) for one in asked))
        return dict(zip(asked, found, strict=True))

    async def _filing(self, parties: Parties) -> Filing | PortolanError:
        try:
            return await self._directory.filing(*parties)
        except PortolanError as error:
            return error

    def _draft(self, opened: Opened, filings: Mapping[Parties, Filing | PortolanError]) -> Draft | PortolanError:
        if isinstance(opened.envelope, PortolanError):
            return opened.envelope
        filing = filings[opened.parties] if opened.parties else Forbidden("FORBIDDEN")
        if isinstance(filing, PortolanError):
            return filing
        try:
            return self._judged(opened, opened.envelope, filing)
        except PortolanError as error:
            return error
        except Exception as error:
            return fault("judgement_failed", error)

    def _judged(self, opened: Opened, asked: Envelope, filing: Filing) -> Draft:
        now = clock.now()
        book = self._rulebooks.in_force(now)
        stages.require_filer(book.kind(asked.type), opened.caller.roles)
        candidate = Candidate(ids.new_id(), asked.body, filing, now, opened.language)
        judgement = _valid(book, asked.type, candidate)
        traceparent = trace.begin(opened.submission.traceparent)
        submission = opened.submission
        key, fingerprint = submission.idempotency_key, submission.fingerprint
        return Draft(*(book, asked.type, candidate, judgement, key, fingerprint, traceparent), origin=submission.origin)

    async def _referring(self, opened: Opened | PortolanError, draft: Draft | PortolanError) -> Draft | PortolanError:
        """What may not be seen is nothing to refer to."""
        if isinstance(opened, PortolanError) or isinstance(draft, PortolanError):
            return draft
        owner = draft.candidate.filing.owner.organisation_id
        referrer = Referrer(opened.caller, owner, draft.candidate.document_id, opened.language)
        try:
            resolved = await self._register.resolved(referrer, draft.judgement)
        except PortolanError as error:
            return error
        if resolved.violations:
            return Invalid("INVALID_DOCUMENT", violations=resolved.violations)
        return replace(draft, links=resolved.links)

    async def _enter(self, draft: Draft | PortolanError) -> Outcome:
        if isinstance(draft, PortolanError):
            return draft
        try:
            return await self._register.enter(draft)
        except PortolanError as error:
            return error

    async def _overruled(self, opened: Sequence[Opened | PortolanError], outcomes: Sequence[Outcome]) -> list[Outcome]:
        """What is refused today may be the repetition of what was accepted yesterday: its answer stands.

        While nobody can look that up, nothing is refused for good.
        """
        refused = {
            place: one
            for place, (one, outcome) in enumerate(zip(opened, outcomes, strict=True))
            if isinstance(one, Opened) and isinstance(outcome, PortolanError)
        }
        answers = list(outcomes)
        try:
            earlier = await self._earlier([one.key for one in refused.values()])
        except Unavailable as away:
            return [away if place in refused else outcome for place, outcome in enumerate(outcomes)]
        for place, one in refused.items():
            if one.key in earlier:
                answers[place] = replay(earlier[one.key], one.submission.fingerprint)
        return answers

    async def _earlier(self, keys: Sequence[Key]) -> Mapping[Key, EarlierAnswer]:
        return await self._register.earlier(keys) if keys else {}


def _valid(book: Rulebook, document_type: str, candidate: Candidate) -> Judgement:
    judgement = book.rules(document_type, candidate.language).judge(candidate)
    if not judgement.is_valid:
        raise Invalid("INVALID_DOCUMENT", violations=judgement.violations)
    return judgement


def _word(outcome: Outcome) -> str:
    if isinstance(outcome, Answer):
        return "replayed" if outcome.replayed else "accepted"
    return "error" if outcome.status >= 500 else "refused"
