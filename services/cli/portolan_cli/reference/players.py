"""Owner, broker, banks, agencies and customs, acting on one document as its life has been foretold."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from kit.clock import read_ahead_s

from portolan_cli.client import Credentials
from portolan_cli.generation import Generated
from portolan_cli.golden.visits import slot
from portolan_cli.reference import acts
from portolan_cli.reference.acts import Act
from portolan_cli.reference.board import Board
from portolan_cli.reference.cast import Cast
from portolan_cli.reference.weights import Known
from portolan_cli.reference.wire import Reply, Wire

POLL_S_FIRST, POLL_S_MAX = 0.1, 1.0
PLACE, DAYS_AHEAD = "Quai 3", 1
TRIES_MAX = 5


class WentOtherwise(Exception):
    """An act was answered otherwise than the model says, or its time never came."""


@dataclass(frozen=True)
class Stage:
    wire: Wire
    board: Board
    cast: Cast
    customs: str
    run: str
    today: str
    began_at: str
    patience_s: float
    clock: Path | None = None

    def now(self) -> datetime:
        """Where the window is, which may have been moved on."""
        return datetime.now(UTC) + timedelta(seconds=read_ahead_s(self.clock) if self.clock else 0.0)


@dataclass
class Player:
    """Of one document that was taken."""

    # How long it first waits before it looks again, and at the most.
    looks_s: ClassVar[tuple[float, float]] = (POLL_S_FIRST, POLL_S_MAX)

    stage: Stage
    document: Generated
    id: str
    reference: str
    _imputations: list[str] = field(default_factory=list)
    _visits: list[str] = field(default_factory=list)
    _number: int = 0

    async def play(self, act: Act) -> None:
        self._number += 1
        await _PLAYS[act.kind](self, act)

    @property
    def submitter(self) -> Credentials:
        return self.stage.cast.traders[self.document.submitter.key].credentials

    @property
    def customs(self) -> Credentials:
        return self.stage.cast.officers[self.stage.customs][0].credentials

    async def _task(self, act: Act) -> None:
        task = await self._awaited_task(act)
        by = self.stage.cast.officers[act.agency][act.person - 1].credentials
        self._expect(act, await self._post(f"/v1/tasks/{task}:{act.kind}", by, act.request))

    async def _awaited_task(self, act: Act) -> str:
        try:
            return await self.stage.board.task(act.agency, (self.id, act.step, act.rule))
        except TimeoutError as error:
            raise WentOtherwise(f"{act.agency} never got the task {act.step} {act.rule}") from error

    async def _provide(self, act: Act) -> None:
        await self.until(act.state)
        self._expect(act, await self._post(f"/v1/documents/{self.id}:{act.kind}", self.submitter, act.request))

    async def _change(self, act: Act) -> None:
        self._expect(act, await self._as_it_stands(act, self.submitter))

    async def _as_it_stands(self, act: Act, by: Credentials) -> Reply:
        """Read again and said again while somebody else's word comes between, TRIES_MAX times."""
        for _ in range(TRIES_MAX):
            etag = await self.until(act.state)
            reply = await self._post(f"/v1/documents/{self.id}:{act.kind}", by, act.request, if_match=etag)
            if reply.code != "PRECONDITION_FAILED":
                break
        return reply

    async def _impute(self, act: Act) -> None:
        await self.until(act.state)
        number = f"{self.stage.run}-{self.document.number}-{act.request['declaration_number']}"
        declared = {**act.request, "declaration_number": number, "registered_on": self.stage.today}
        reply = await self._post(f"/v1/documents/{self.id}/imputations", self.customs, declared)
        self._expect(act, reply)
        if not act.refused:
            self._imputations.append(reply.content["id"])

    async def _declare(self, act: Act) -> None:
        """Customs' own system tells of a declaration, event by event."""
        await self.until(act.state)
        number = f"{self.stage.run}-{self.document.number}-{act.request['number']}"
        for event in act.request["events"]:
            told = {"event_id": f"{number}-{event}", "event": event, "occurred_at": self.stage.began_at}
            if event == "REGISTERED":
                told["declaration"] = self._declaration(act, number)
            reply = await self._post(f"/v1/declarations/{number}/events", self.customs, told, suffix=event)
            self._expect(act, reply)
            if reply.content["document_state"] != event:
                raise WentOtherwise(f"declaration {number}: {reply.content}, not {event}")

    def _declaration(self, act: Act, number: str) -> dict[str, Any]:
        declared = act.request["declaration"]
        lines = [{**line, "title": self.reference} for line in declared["lines"]]
        whose = {"number": number, "company_number": self.document.owner.company_number}
        return {**declared, **whose, "lines": lines, "registered_on": self.stage.today}

    async def _pay(self, act: Act) -> None:
        await self.until(act.state)
        number = f"{self.stage.run}-{self.document.number}-{act.request['payment_number']}"
        ordered = {**act.request, "payment_number": number, "paid_on": self.stage.today}
        bank = self.stage.cast.officers[act.agency][0].credentials
        self._expect(act, await self._post(f"/v1/documents/{self.id}/payments", bank, ordered))

    async def _clear(self, act: Act) -> None:
        bank = self.stage.cast.officers[act.agency][0].credentials
        self._expect(act, await self._as_it_stands(act, bank))

    async def _propose(self, act: Act) -> None:
        await self.until(act.state)
        asked = {"place": PLACE, **slot(DAYS_AHEAD, self.stage.now())}
        reply = await self._post(f"/v1/documents/{self.id}/visits", self._party(act), asked)
        self._expect(act, reply)
        self._visits.append(reply.content["id"])

    async def _of_visit(self, act: Act) -> None:
        await self.until(act.state)
        path = f"/v1/visits/{self._visits[-1]}:{act.kind}"
        self._expect(act, await self._post(path, self._party(act), act.request))

    def _party(self, act: Act) -> Credentials:
        return self.stage.cast.officers[act.agency][0].credentials if act.agency else self.submitter

    async def _give_back(self, act: Act) -> None:
        imputation = self._imputations[act.request["number"]]
        path = f"/v1/documents/{self.id}/imputations/{imputation}:cancel"
        self._expect(act, await self._post(path, self.customs, {"reason": act.request["reason"]}))

    async def until(self, state: str) -> str:
        """The document's entity tag once it stands there. Raises WentOtherwise when it never does."""
        limit, (pause_s, pause_s_max) = time.monotonic() + self.stage.patience_s, self.looks_s
        while True:
            reply = await self.stage.wire.get(f"/v1/documents/{self.id}", self.submitter)
            if reply.status == 200 and reply.content["state"] == state:
                return reply.etag
            if time.monotonic() > limit:
                raise WentOtherwise(f"still {reply.content.get('state')}, not {state}")
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s_max, 1.5 * pause_s)

    async def _post(self, path: str, by: Credentials, body: Mapping[str, Any], suffix: str = "", **head: str) -> Reply:
        key = f"{self.stage.run}-{self.document.number}-{self._number}{suffix}"
        return await self.stage.wire.post(path, by, dict(body), idempotency_key=key, **head)

    def _expect(self, act: Act, reply: Reply) -> None:
        is_good = reply.code == act.refused if act.refused else reply.status < 300
        if not is_good:
            wanted = act.refused or "accepted"
            raise WentOtherwise(f"{act.kind} {act.agency} {act.step}: {reply.status} {reply.content}, not {wanted}")


_PLAYS: Mapping[str, Callable[[Player, Act], Awaitable[None]]] = {
    acts.DECIDE: Player._task,
    acts.ASK: Player._task,
    acts.PROVIDE: Player._provide,
    acts.AMEND: Player._change,
    acts.WITHDRAW: Player._change,
    acts.CANCEL: Player._change,
    acts.IMPUTE: Player._impute,
    acts.GIVE_BACK: Player._give_back,
    acts.PAY: Player._pay,
    acts.DECLARE: Player._declare,
    acts.CLEAR: Player._clear,
    acts.PROPOSE_VISIT: Player._propose,
    acts.CONFIRM_VISIT: Player._of_visit,
    acts.DECLINE_VISIT: Player._of_visit,
    acts.RECORD_VISIT: Player._of_visit,
}


async def known(stage: Stage, document_id: str) -> Known:
    """What the window knew beside the document when it judged it; asked until it has."""
    limit, pause_s = time.monotonic() + stage.patience_s, POLL_S_FIRST
    customs = stage.cast.officers[stage.customs][0].credentials
    while time.monotonic() < limit:
        reply = await stage.wire.get(f"/v1/documents/{document_id}/routing", customs)
        if reply.status == 200:
            return Known(**reply.content["weighed"]["inputs"]["history"])
        await asyncio.sleep(pause_s)
        pause_s = min(POLL_S_MAX, 1.5 * pause_s)
    raise WentOtherwise(f"no case was opened for {document_id}")


async def submit(stage: Stage, document: Generated) -> Reply:
    """With the same key and the same bytes it is the same submission."""
    owner, submitter = (stage.cast.traders[one.key] for one in (document.owner, document.submitter))
    asked: dict[str, Any] = {"type": document.type, "body": document.body}
    if owner.organisation_id != submitter.organisation_id:
        asked["on_behalf_of"] = owner.organisation_id
    key = f"{stage.run}-{document.number}"
    return await stage.wire.post("/v1/documents", submitter.credentials, asked, idempotency_key=key)
