"""A case on its way through the type's steps: who is asked, what they say, and where the heaviest word leads."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_DOWN, Decimal
from typing import Any

from portolan_cli.generation.bodies import text
from portolan_cli.reference import acts
from portolan_cli.reference.book import Entry
from portolan_cli.reference.life import INTAKE, ROUTING, Life, Part, Said
from portolan_cli.reference.titles import FINENESS

QUESTIONS = ("Which contract?", "Which quality?")
REASON = "as the script says"
OPERATOR = "operator"
NEXT, FINISH, CLOSE, OWNER = "next", "finish", "close", "owner"
TO_STEP = "step:"


def run(life: Life) -> bool:
    """Whether the case came to its end without being closed on the way."""
    steps: Sequence[Entry] = life.kind.get("steps", ())
    place, entered = 0, 0
    while (found := _concerned(life, steps, place)) is not None:
        place, parts = found
        leads = _enter(life, steps[place], parts, entered)
        entered += 1
        if leads in (OWNER, CLOSE, FINISH):
            return leads == FINISH
        place = place + 1 if leads == NEXT else _place(steps, leads.removeprefix(TO_STEP))
    if not entered and life.kind.get("unconcerned"):
        life.move(life.kind["unconcerned"])
    return True


def _concerned(life: Life, steps: Sequence[Entry], place: int) -> tuple[int, list[Part]] | None:
    """The next step that asks anybody, from here on."""
    for number in range(place, len(steps)):
        parts = life.parts(steps[number], life.reading)
        if parts:
            return number, parts
    return None


def _place(steps: Sequence[Entry], key: str) -> int:
    return next(number for number, step in enumerate(steps) if step["key"] == key)


def _enter(life: Life, step: Entry, parts: list[Part], number: int) -> str:
    """Where it leads, or who ended it."""
    entry = life.entered(step["key"]) + 1
    life.open(step, parts, step.get("enters", ""))
    waiting = len(parts)
    life.asks_one = waiting == 1
    for part in sorted(parts, key=lambda one: not one.is_automatic):
        if not part.is_automatic and ended_by_owner(life, number):
            return OWNER
        if step.get("visit") and waiting == len(parts):
            _agree_on_visit(life, step["visit"], [one.agency for one in parts], entry)
        outcome, quantity = _visited(life, part) if step.get("visit") else decide(life, part, entry)
        waiting -= 1
        life.said.append(Said(step["key"], entry, part.agency, part.rule, outcome))
        life.decided(part, outcome, quantity)
        if quantity is not None:
            life.ledger.lines[0].authorised = quantity
        leads = _follow(life, step, outcome, is_last=waiting == 0)
        if leads:
            return leads
    raise AssertionError("the last word leads somewhere")


def _follow(life: Life, step: Entry, outcome: str, *, is_last: bool) -> str:
    told: Entry = step["outcomes"][outcome]
    if not is_last and told["then"] != CLOSE:
        return ""
    if told["then"] != CLOSE:
        told = _spoken(life, step)
        told = _gravest(life, told) if told["then"] == FINISH else told
        if told.get("result"):
            life.say(ROUTING + "ControlResult", result=told["result"])
    if told.get("event"):
        life.move(told["event"])
    return str(told["then"])


def _spoken(life: Life, step: Entry) -> Entry:
    """The heaviest speaks for all; of equals the latest."""
    said: list[Entry] = [step["outcomes"][one.outcome] for one in life.last_said(step["key"])]
    return max(enumerate(said), key=lambda one: (one[1].get("weight", 0), one[0]))[1]


def _gravest(life: Life, spoken: Entry) -> Entry:
    """What an agency said to the end in a step before still stands."""
    for step in life.kind["steps"]:
        for said in life.last_said(step["key"]):
            told = step["outcomes"][said.outcome]
            if told["then"] == FINISH and told.get("weight", 0) > spoken.get("weight", 0):
                spoken = told
    return spoken


def decide(life: Life, part: Part, entry: int = 1) -> tuple[str, Decimal | None]:
    outcomes = part.step["outcomes"]
    if part.is_automatic:
        return next(name for name, one in outcomes.items() if one["then"] != CLOSE), None
    if life.script.asks and not life.asked and part.step.get("information"):
        _ask(life, part)
    answer = life.script.answer(part.step, part.agency, entry, life.exhausted)
    request: dict[str, Any] = {"outcome": answer.outcome}
    reason = answer.reason_code or _why_no_visit(life, part, answer.outcome)
    if reason:
        request["reason_code"] = reason
    quantity = _reduced(life, answer.reduced_to)
    if quantity is not None:
        asked = {"value": text(quantity), "unit": life.ledger.lines[0].unit}
        request["authorised_quantity"] = asked
    _sign(life, part, request, answer.disputed)
    return answer.outcome, quantity


def _why_no_visit(life: Life, part: Part, outcome: str) -> str:
    """Whoever does without a visit that is due says why."""
    outcomes = part.step["outcomes"]
    if part.rule not in life.visits_due or not outcomes[outcome].get("waives_visit"):
        return ""
    return life.script.reason(outcome, outcomes, must=True)


def _sign(life: Life, part: Part, request: dict[str, Any], disputed: str) -> None:
    named = {"agency": part.agency, "step": part.step["key"], "rule": part.rule}
    if part.signatures == 1:
        life.act(acts.DECIDE, request=request, **named)
        return
    first, second = 1, 2
    if disputed:
        # A colleague first says otherwise; the disagreement voids that, and he then agrees.
        reason = life.script.reason(disputed, part.step["outcomes"]) or _why_no_visit(life, part, disputed)
        other = {"outcome": disputed, **({"reason_code": reason} if reason else {})}
        life.act(acts.DECIDE, request=other, **named)
        first, second = 2, 1
    life.act(acts.DECIDE, request=request, person=first, **named)
    follows = {name: given for name, given in request.items() if name != "authorised_quantity"}
    life.act(acts.DECIDE, request=follows, person=second, **named)


def _reduced(life: Life, share: float) -> Decimal | None:
    if not share or len(life.ledger.lines) != 1:
        return None
    asked = life.ledger.lines[0].authorised
    quantity = (asked * Decimal(str(share))).quantize(FINENESS, ROUND_DOWN)
    return quantity if 0 < quantity < asked else None


def _ask(life: Life, part: Part) -> None:
    life.asked = True
    terms, before = part.step["information"], life.state
    named = {"agency": part.agency, "step": part.step["key"], "rule": part.rule}
    life.act(acts.ASK, request={"reason": REASON, "questions": list(QUESTIONS)}, **named)
    life.say(ROUTING + "InformationRequested", step=part.step["key"], agency=part.agency)
    life.move(terms["asks"])
    if life.time_passes and life.script.lapses and life.asks_one:
        life.act(acts.LAPSE)
        life.say(ROUTING + "InformationLapsed", step=part.step["key"], agency=part.agency)
        life.move(terms["lapses"], before)
        return
    answers = [{"question": number, "answer": REASON} for number in range(1, len(QUESTIONS) + 1)]
    life.act(acts.PROVIDE, request={"answers": answers})
    life.say(INTAKE + "InformationProvided", step=part.step["key"], agency=part.agency)
    life.move(terms["answered"], before)


def ended_by_owner(life: Life, decided: int) -> bool:
    verb = life.script.ends
    if life.is_over or not verb or decided < life.script.ends_after or life.leads_to(verb) is None:
        return life.is_over
    life.is_over = True
    life.act(verb, request={"reason": REASON})
    life.move(verb, is_told=False)
    life.say(INTAKE + {"withdraw": "DocumentWithdrawn", "cancel": "DocumentCancelled"}[verb])
    return True


# --- an appointment to look at the goods together


def _agree_on_visit(life: Life, terms: Entry, agencies: list[str], entry: int) -> None:
    parties = [OPERATOR, *dict.fromkeys(agencies)]
    proposes = life.script.proposer(len(parties), entry)
    if life.script.declines and entry == 1:
        _propose(life, terms, parties, proposes)
        declining = parties[(proposes + 1) % len(parties)]
        life.act(acts.DECLINE_VISIT, agency=_agency(declining), request={"reason": REASON})
        life.move(terms["declined"])
        life.say(ROUTING + "VisitDeclined", agencies=parties[1:])
    _propose(life, terms, parties, proposes)
    others = [party for number, party in enumerate(parties) if number != proposes]
    for number, party in enumerate(others, 1):
        life.act(acts.CONFIRM_VISIT, agency=_agency(party))
        life.say(ROUTING + "VisitConfirmed", agencies=parties[1:], is_agreed=number == len(others))
    life.move(terms["confirmed"])


def _propose(life: Life, terms: Entry, parties: list[str], place: int) -> None:
    life.act(acts.PROPOSE_VISIT, agency=_agency(parties[place]))
    life.move(terms["proposed"])
    life.say(ROUTING + "VisitProposed", agencies=parties[1:])


def _visited(life: Life, part: Part) -> tuple[str, None]:
    life.act(acts.RECORD_VISIT, agency=part.agency, request={"findings": REASON})
    return str(part.step["visit"]["recorded"]), None


def _agency(party: str) -> str:
    return "" if party == OPERATOR else party
