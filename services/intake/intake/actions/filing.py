"""Submit a draft: a submission like any other, made of what the draft says, at most once."""

from __future__ import annotations

from dataclasses import dataclass

from kit import clock
from kit.auth import Principal
from kit.errors import NotFound, PortolanError

from intake.actions.drafting import DraftDesk
from intake.actions.register import Answer, Register, replay
from intake.actions.submitting import Submission, SubmissionDesk
from intake.domain import envelope
from intake.domain.drafts import Draft, Origin


@dataclass(frozen=True, slots=True)
class DraftFiling:
    caller: Principal
    draft_id: str
    if_match: str
    idempotency_key: str
    traceparent: str


class FilingDesk:
    def __init__(self, drafts: DraftDesk, submissions: SubmissionDesk, register: Register) -> None:
        self._drafts = drafts
        self._submissions = submissions
        self._register = register

    async def submit(self, filing: DraftFiling) -> Answer:
        """The same key again is the same answer, also when the draft is gone. Raises as submissions do."""
        envelope.idempotency_key(filing.idempotency_key)
        try:
            draft = await self._drafts.find(filing.caller, filing.draft_id)
            draft.require_open()
        except PortolanError as refusal:
            return await self._earlier(filing, refusal)
        if filing.if_match:
            draft.require_match(filing.if_match)
        return await self._entered(filing, draft)

    async def _entered(self, filing: DraftFiling, draft: Draft) -> Answer:
        caller = filing.caller
        submission = Submission(
            access_token=caller.token,
            idempotency_key=filing.idempotency_key,
            request=draft.submission(caller.organisation_id),
            language=caller.language,
            traceparent=filing.traceparent,
            origin=draft.origin(clock.now()),
        )
        outcome = (await self._submissions.submit([submission]))[0]
        if isinstance(outcome, Answer):
            return outcome
        (await self._drafts.find(caller, draft.id)).require_open()
        raise outcome

    async def _earlier(self, filing: DraftFiling, refusal: PortolanError) -> Answer:
        """Raises the refusal unless this key made a document of this draft."""
        key = (filing.caller.organisation_id, filing.idempotency_key)
        known = (await self._register.earlier([key])).get(key)
        fingerprint = envelope.fingerprint(Origin(filing.draft_id.lower(), 0).request)
        if known is None or (isinstance(refusal, NotFound) and known.fingerprint != fingerprint):
            raise refusal
        answer = replay(known, fingerprint)
        if isinstance(answer, PortolanError):
            raise answer
        return answer
