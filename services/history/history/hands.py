"""What people do, done through the actions that the services' own doors lead to."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

import routing.actions as routing_actions
from intake.actions import cancelling, clearing, imputing, informing, settling, withdrawing
from intake.actions.acts import Act as OwnersAct
from intake.actions.declaring import DeclarationDesk
from intake.actions.informing import Reply
from intake.actions.register import Answer
from intake.actions.submitting import Submission, SubmissionDesk
from intake.domain.information import Answer as Told
from kit import clock
from kit.auth import Principal, TokenVerifier
from kit.database import Database
from kit.errors import PortolanError
from portolan_cli.generation import Generated
from portolan_cli.golden.visits import slot
from portolan_cli.reference import acts
from portolan_cli.reference.acts import Act
from portolan_cli.reference.weights import Known
from routing.domain import Decision, Inquiry, Officer, Quantity, Slot, Visit
from routing.store import Rulebooks, case_of_document

from history.house import House
from history.people import People

ANY_REVISION = "*"
# Far enough for everybody to confirm in time.
PLACE, DAYS_AHEAD = "Quai 3", 6


class Doorman:
    """Knows its callers by name: in a history nobody needs to prove who they are."""

    def __init__(self, people: People) -> None:
        self._people = people

    async def verify(self, token: str) -> Principal:
        return self._people.traders[token]


@dataclass
class Live:
    """A document of the history, and where it is in its script."""

    document: Generated
    id: str
    reference: str
    imputations: list[str] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)

    def not_before(self, act: Act) -> datetime | None:
        """Nobody has looked at the goods before the appointment is over."""
        return self.visits[-1].slot.ends_at if act.kind == acts.RECORD_VISIT and self.visits else None

    def key(self, number: int) -> str:
        return f"history-{self.document.name}-{number}"


def can(act: Act) -> bool:
    return act.kind in _ACTS


class Hands:
    def __init__(self, house: House, people: People) -> None:
        self._house, self._people = house, people
        # It asks for `verify` alone.
        doorman = cast(TokenVerifier, Doorman(people))
        self._desk = SubmissionDesk(house.rulebooks, doorman, house.directory, house.register)
        self._intake, self._routing = house.databases["intake"], house.databases["routing"]
        self._declarations = DeclarationDesk(self._intake, house.rulebooks, house.directory, house.register)

    async def submit(self, document: Generated) -> Answer | PortolanError:
        owner, submitter = (self._people.traders[one.key] for one in (document.owner, document.submitter))
        asked: dict[str, Any] = {"type": document.type, "body": document.body}
        if owner.organisation_id != submitter.organisation_id:
            asked["on_behalf_of"] = owner.organisation_id
        request = json.dumps(asked, ensure_ascii=False).encode()
        key = f"history-{document.name}"
        (outcome,) = await self._desk.submit([Submission(document.submitter.key, key, request, "", "")])
        return outcome

    async def known(self, live: Live) -> Known:
        """What the window knew beside the document when its case was opened."""
        async with self._routing.transaction() as tx:
            case = await case_of_document(tx, live.id)
        told = (case.explanation.get("history") or {}) if case is not None else {}
        return Known(**{one.name: told[one.name] for one in fields(Known) if one.name in told})

    async def act(self, live: Live, number: int, act: Act) -> None:
        """Raises PortolanError when it is refused otherwise than the script says."""
        try:
            await _ACTS[act.kind](self, live, number, act)
        except PortolanError as error:
            if error.code != act.refused:
                raise

    async def _decide(self, live: Live, number: int, act: Act) -> None:
        officer = self._officer(act)
        asked = act.request.get("authorised_quantity")
        decision = Decision(
            person=officer.person,
            outcome=act.request["outcome"],
            reason_code=act.request.get("reason_code", ""),
            quantity=Quantity(Decimal(asked["value"]), asked["unit"]) if asked else None,
            request_id=live.key(number),
        )
        task = await self._task(live, act)
        await routing_actions.decide(self._routing, self._house.routing_rulebooks, officer, task, decision)

    async def _ask(self, live: Live, number: int, act: Act) -> None:
        officer = self._officer(act)
        inquiry = Inquiry(officer.person, tuple(act.request["questions"]), act.request["reason"])
        task = await self._task(live, act)
        await routing_actions.request_information(self._routing, self._house.routing_rulebooks, officer, task, inquiry)

    async def _provide(self, live: Live, number: int, act: Act) -> None:
        answers = [Told(one["question"], one["answer"]) for one in act.request["answers"]]
        await informing.provide(
            self._intake, self._house.rulebooks, self._house.directory, self._owner(live), live.id, Reply("", answers)
        )

    async def _impute(self, live: Live, number: int, act: Act) -> None:
        declared = {
            **act.request,
            "declaration_number": f"{live.document.name}-{act.request['declaration_number']}",
            "registered_on": self._day(),
        }
        imputed = await imputing.impute(
            self._intake, self._house.rulebooks, self._customs(), live.id, json.dumps(declared).encode()
        )
        live.imputations.append(json.loads(imputed.imputation_json)["id"])

    async def _declare(self, live: Live, number: int, act: Act) -> None:
        """Customs' own system tells of a declaration, event by event."""
        now = clock.now()
        declared = f"{live.document.name}-{act.request['number']}"
        for event in act.request["events"]:
            told = {"event_id": f"{declared}-{event}", "event": event, "occurred_at": now.isoformat()}
            if event == "REGISTERED":
                whose = {"number": declared, "company_number": live.document.owner.company_number}
                lines = [{**line, "title": live.reference} for line in act.request["declaration"]["lines"]]
                told["declaration"] = {
                    **act.request["declaration"],
                    **whose,
                    "lines": lines,
                    "registered_on": self._day(),
                }
            await self._declarations.tell(self._customs(), declared, json.dumps(told).encode())

    async def _give_back(self, live: Live, number: int, act: Act) -> None:
        imputation = live.imputations[act.request["number"]]
        await imputing.cancel(
            self._intake, self._house.rulebooks, self._customs(), live.id, imputation, act.request["reason"]
        )

    async def _pay(self, live: Live, number: int, act: Act) -> None:
        order = {
            **act.request,
            "payment_number": f"{live.document.name}-{act.request['payment_number']}",
            "paid_on": self._day(),
        }
        request = json.dumps(order).encode()
        await settling.pay(self._intake, self._house.rulebooks, self._of_agency(act), live.id, request)

    async def _clear(self, live: Live, number: int, act: Act) -> None:
        cleared = OwnersAct(act.kind, self._of_agency(act), live.id, ANY_REVISION, live.key(number), b"")
        await clearing.clear(self._intake, self._house.rulebooks, cleared, "")

    async def _propose(self, live: Live, number: int, act: Act) -> None:
        hours = slot(DAYS_AHEAD, clock.now())
        wanted = Slot(datetime.fromisoformat(hours["from"]), datetime.fromisoformat(hours["to"]), PLACE)
        spoken = await routing_actions.propose_visit(*self._at_routing(live, act), live.id, wanted, live.key(number))
        live.visits.append(spoken.visit)

    async def _confirm(self, live: Live, number: int, act: Act) -> None:
        await routing_actions.confirm_visit(*self._at_routing(live, act), live.visits[-1].id)

    async def _decline(self, live: Live, number: int, act: Act) -> None:
        await routing_actions.decline_visit(*self._at_routing(live, act), live.visits[-1].id, act.request["reason"])

    async def _record(self, live: Live, number: int, act: Act) -> None:
        await routing_actions.record_visit(*self._at_routing(live, act), live.visits[-1].id, act.request["findings"])

    def _at_routing(self, live: Live, act: Act) -> tuple[Database, Rulebooks, Officer]:
        who = self._of_agency(act) if act.agency else self._owner(live)
        officer = Officer(who.person, who.agency, who.organisation_id, who.roles)
        return self._routing, self._house.routing_rulebooks, officer

    async def _amend(self, live: Live, number: int, act: Act) -> None:
        await self._house.amendments.amend(self._owners_act(live, number, act))

    async def _cancel(self, live: Live, number: int, act: Act) -> None:
        owners = self._owners_act(live, number, act)
        house = self._house
        await cancelling.cancel(self._intake, house.rulebooks, house.directory, owners, act.request["reason"])

    async def _withdraw(self, live: Live, number: int, act: Act) -> None:
        await withdrawing.withdraw(
            self._intake,
            self._house.rulebooks,
            self._house.directory,
            self._owner(live),
            live.id,
            ANY_REVISION,
            act.request["reason"],
        )

    def _owners_act(self, live: Live, number: int, act: Act) -> OwnersAct:
        request = json.dumps(dict(act.request), ensure_ascii=False).encode()
        return OwnersAct(act.kind, self._owner(live), live.id, ANY_REVISION, live.key(number), request)

    async def _task(self, live: Live, act: Act) -> str:
        async with self._routing.transaction() as tx:
            case = await case_of_document(tx, live.id)
        wanted = (act.agency, act.step, act.rule)
        tasks = case.tasks if case is not None else ()
        found = next((one for one in tasks if one.is_live and (one.agency, one.step, one.rule) == wanted), None)
        return found.id if found is not None else live.id

    def _day(self) -> str:
        return clock.now().astimezone(self._house.rulebooks.in_force(clock.now()).timezone).date().isoformat()

    def _owner(self, live: Live) -> Principal:
        return self._people.traders[live.document.submitter.key]

    def _of_agency(self, act: Act) -> Principal:
        return self._people.officers[act.agency][act.person - 1]

    def _officer(self, act: Act) -> Officer:
        who = self._of_agency(act)
        return Officer(who.person, who.agency, who.organisation_id, who.roles)

    def _customs(self) -> Principal:
        officers = (one for actors in self._people.officers.values() for one in actors)
        return next(one for one in officers if one.has("customs_officer"))


_ACTS: Mapping[str, Callable[[Hands, Live, int, Act], Awaitable[None]]] = {
    acts.DECIDE: Hands._decide,
    acts.ASK: Hands._ask,
    acts.PROVIDE: Hands._provide,
    acts.IMPUTE: Hands._impute,
    acts.DECLARE: Hands._declare,
    acts.GIVE_BACK: Hands._give_back,
    acts.PAY: Hands._pay,
    acts.CLEAR: Hands._clear,
    acts.PROPOSE_VISIT: Hands._propose,
    acts.CONFIRM_VISIT: Hands._confirm,
    acts.DECLINE_VISIT: Hands._decline,
    acts.RECORD_VISIT: Hands._record,
    acts.AMEND: Hands._amend,
    acts.CANCEL: Hands._cancel,
    acts.WITHDRAW: Hands._withdraw,
}
