"""The course of a life: through its steps, through what its owner does, to customs' ledger."""

from __future__ import annotations

import copy
from dataclasses import replace
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from typing import Any

from portolan_cli.generation.bodies import text
from portolan_cli.reference import acts, table
from portolan_cli.reference.book import Entry, holds, many
from portolan_cli.reference.judge import judge
from portolan_cli.reference.life import INTAKE, ROUTING, Life, Part
from portolan_cli.reference.table import Reading
from portolan_cli.reference.titles import FINENESS, Line

QUESTIONS = ("Which contract?", "Which quality?")
FACTORS = {"more": Decimal("1.2"), "less": Decimal("0.9")}
REASON = "as the script says"
DECLARATION = "customs_declaration"
DECLARED, CLEARED, UNDECLARED = ("REGISTERED", "COUPLED", "IMPUTED"), ("CONTROLLED", "PAID", "RELEASED"), "CANCELLED"


def run(life: Life) -> Life:
    """To its end, as far as people take it."""
    if _steps(life) and not _ended_by_owner(life, len(life.kind["steps"])):
        _ledger(life)
    return life


def _steps(life: Life) -> bool:
    """Whether the case came to its last step without being closed on the way."""
    for number, step in enumerate(life.kind.get("steps", ())):
        parts = life.parts(step, life.reading)
        if parts and not _step(life, step, parts, number):
            return False
    return True


def _step(life: Life, step: Entry, parts: list[Part], number: int) -> bool:
    life.open(step, parts, step.get("enters", ""))
    waiting = len(parts)
    for part in sorted(parts, key=lambda one: not one.is_automatic):
        if not part.is_automatic and _ended_by_owner(life, number):
            return False
        waiting -= 1
        outcome, quantity = _decide(life, part)
        if not _follow(life, part, outcome, quantity, is_last=waiting == 0):
            return False
    return True


def _follow(life: Life, part: Part, outcome: str, quantity: Decimal | None, *, is_last: bool) -> bool:
    """Whether the case goes on."""
    told = part.step["outcomes"][outcome]
    life.decided(part, outcome, quantity)
    goes_on: bool = told["then"] == "next"
    if (is_last or not goes_on) and told.get("event"):
        life.move(told["event"])
    if quantity is not None:
        life.ledger.lines[0].authorised = quantity
    return goes_on


def _decide(life: Life, part: Part) -> tuple[str, Decimal | None]:
    outcomes = part.step["outcomes"]
    if part.is_automatic:
        return next(name for name, one in outcomes.items() if one["then"] == "next"), None
    if life.script.asks and not life.asked and part.step.get("information"):
        _ask(life, part)
    answer = life.script.answer(part.step, part.agency)
    request: dict[str, Any] = {"outcome": answer.outcome}
    if answer.reason_code:
        request["reason_code"] = answer.reason_code
    quantity = _reduced(life, answer.reduced_to)
    if quantity is not None:
        asked = {"value": text(quantity), "unit": life.ledger.lines[0].unit}
        request["authorised_quantity"] = asked
    _sign(life, part, request, answer.disputed)
    return answer.outcome, quantity


def _sign(life: Life, part: Part, request: dict[str, Any], disputed: str) -> None:
    named = {"agency": part.agency, "step": part.step["key"], "rule": part.rule}
    if part.signatures == 1:
        life.act(acts.DECIDE, request=request, **named)
        return
    first, second = 1, 2
    if disputed:
        # A colleague first says otherwise; the disagreement voids that, and he then agrees.
        reason = life.script.reason(disputed, part.step["outcomes"])
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
    answers = [{"question": number, "answer": REASON} for number in range(1, len(QUESTIONS) + 1)]
    life.act(acts.PROVIDE, request={"answers": answers})
    life.say(INTAKE + "InformationProvided", step=part.step["key"], agency=part.agency)
    life.move(terms["answered"], before)


def _ended_by_owner(life: Life, decided: int) -> bool:
    verb = life.script.ends
    if life.is_over or not verb or decided < life.script.ends_after or life.leads_to(verb) is None:
        return life.is_over
    life.is_over = True
    life.act(verb, request={"reason": REASON})
    life.move(verb, is_told=False)
    life.say(INTAKE + {"withdraw": "DocumentWithdrawn", "cancel": "DocumentCancelled"}[verb])
    return True


# --- customs takes the goods off the title


def _ledger(life: Life) -> None:
    if not life.ledger.lines or life.state not in many(life.kind.get("impute_in", ())):
        return
    imputing = life.script.imputing
    amend_before = 1 if len(imputing.parts) > 1 else 0
    if not imputing.parts:
        _amend(life)
    for number, share in enumerate(imputing.parts):
        if number == amend_before:
            _amend(life)
        if number == 0 and imputing.too_much:
            _take_too_much(life)
        is_last = number == len(imputing.parts) - 1 and abs(sum(imputing.parts) - 1) < 0.0005
        for line in life.ledger.lines:
            _take(life, line, number, share, is_last=is_last)
    if imputing.given_back and life.ledger.taken:
        _give_back(life, min(imputing.given_back, len(life.ledger.taken)) - 1)
    _settle(life)


def _take(life: Life, line: Line, number: int, share: float, *, is_last: bool) -> None:
    quantity = line.remaining if is_last else min(line.part(share), line.remaining)
    if is_last and line.tolerance:
        quantity = line.room.quantize(FINENESS, ROUND_DOWN)
    if quantity <= 0:
        return
    amount = _worth(life, line, quantity)
    request = _declared(life, line, f"{number + 1}", quantity, amount)
    if _is_declared(life):
        _declare(life, request, keeps=number + 1 != life.script.imputing.given_back)
    else:
        life.act(acts.IMPUTE, request=request)
    life.ledger.take(line, quantity, amount)
    life.say(INTAKE + "TitleImputed")
    _follow_ledger(life, "impute_fully" if life.ledger.is_full else "impute_partially")


def _take_too_much(life: Life) -> None:
    line = life.ledger.lines[0]
    request = _declared(life, line, "0", (line.room + 1).quantize(FINENESS, ROUND_HALF_UP), 1)
    life.act(acts.IMPUTE, request=request, refused="QUANTITY_EXCEEDED")


def _is_declared(life: Life) -> bool:
    """Declarations of several lines would move a title by all of them at once: here they have one."""
    return life.script.imputing.declared and DECLARATION in life.book.types and len(life.ledger.lines) == 1


def _declare(life: Life, request: dict[str, Any], *, keeps: bool) -> None:
    """One that will be cancelled has not been paid yet."""
    written = life.body["lines"][0]
    line = {
        "line": 1,
        "hs_code": written["hs_code"],
        "origin_country": life.facts.get("origin") or written.get("origin_country"),
        "quantity": request["quantity"],
        "value": request["value"],
        "net_weight_kg": written["net_weight_kg"],
        "title_line": 1,
    }
    told = {"office": life.body["office"], "regime": life.body["regime"], "lines": [line]}
    events = [*DECLARED, *(CLEARED if keeps else ())]
    life.act(acts.DECLARE, request={"number": request["declaration_number"], "declaration": told, "events": events})


def _give_back(life: Life, number: int) -> None:
    if _is_declared(life):
        life.act(acts.DECLARE, request={"number": str(number + 1), "events": [UNDECLARED]})
    else:
        life.act(acts.GIVE_BACK, request={"number": number, "reason": REASON})
    life.ledger.give_back(number)
    life.say(INTAKE + "TitleReleased")
    if life.ledger.is_full:
        return
    partial = {move["to"] for move in life.kind["transitions"] if move["event"] == "impute_partially"}
    wanted = [
        move["to"]
        for move in life.kind["transitions"]
        if move["event"] == "release_imputation"
        and life.state in many(move["from"])
        and (move["to"] in partial) is not life.ledger.is_untouched
        and (life.ledger.is_untouched or move["to"] in partial)
    ]
    if wanted and wanted[0] != life.state:
        life.move("release_imputation", wanted[0])


def _follow_ledger(life: Life, event: str) -> None:
    target = life.leads_to(event)
    if target is not None and target != life.state:
        life.move(event)


def _worth(life: Life, line: Line, quantity: Decimal) -> int:
    """Never more than the line's own value, be it taken beyond what was asked."""
    written = life.body["lines"][line.number - 1]
    share = min(Decimal(1), quantity / Decimal(written["quantity"]["value"]))
    return int((written["value"]["amount_minor"] * share).quantize(Decimal(1), ROUND_DOWN))


def _declared(life: Life, line: Line, part: str, quantity: Decimal, amount: int) -> dict[str, Any]:
    return {
        "declaration_number": part,
        "declaration_line": str(line.number),
        "title_line": line.number,
        "office": life.body["office"],
        "quantity": {"value": text(quantity), "unit": line.unit},
        "value": {"amount_minor": amount, "currency": life.body["total"]["currency"]},
    }


# --- the bank pays


def _settle(life: Life) -> None:
    """What customs imputed is paid by the title's bank, which clears the title once all of it is used and paid."""
    terms, wish = life.kind.get("settlement"), life.script.settling
    payable = life.ledger.imputed_minor
    if not terms or not wish.share or payable <= 0 or holds(terms.get("exempt", "false"), life.facts):
        return
    bank = life.facts[terms["recorder"]]
    if wish.too_much:
        life.act(acts.PAY, agency=bank, request=_payment(life, "0", 2 * payable + 1), refused="PAYMENT_EXCEEDED")
    paid = max(1, int(payable * Decimal(str(wish.share))))
    life.act(acts.PAY, agency=bank, request=_payment(life, "1", paid))
    life.ledger.paid_minor = paid
    life.say(INTAKE + "TitlePaid")
    if paid == payable and life.leads_to("clear"):
        life.act(acts.CLEAR, agency=bank, request={"reconciled": True})
        life.move("clear")


def _payment(life: Life, number: str, amount: int) -> dict[str, Any]:
    money = {"amount_minor": amount, "currency": life.body["total"]["currency"]}
    return {"payment_number": number, "kind": "SETTLEMENT", "amount": money}


# --- the owner changes it


def _amend(life: Life) -> None:
    terms = life.kind.get("amendment")
    if not terms or not life.script.amends or life.state not in terms["states"]:
        return
    wish, before = life.script.amends, life.state
    body, changed = _amended(life, wish)
    life.act(acts.AMEND, request={"body": body, "remarks": wish})
    steps = [step for step in terms.get("steps", ()) if _is_called_for(step, changed)]
    if not steps:
        _in_effect(life, body)
        return
    life.move("amend")
    life.say(INTAKE + "AmendmentProposed")
    reading = _read_again(life, body)
    accepted = all(_asked_again(life, step, reading) for step in steps)
    life.move("amend_accept" if accepted else "amend_reject", before)
    if accepted:
        _in_effect(life, body)


def _asked_again(life: Life, step: Entry, reading: Reading) -> bool:
    (part,) = life.parts(step, reading)
    life.open(step, [part], step.get("enters", ""))
    outcome, _ = _decide(life, part)
    life.decided(part, outcome)
    return bool(step["outcomes"][outcome]["then"] == "next")


def _in_effect(life: Life, body: dict[str, Any]) -> None:
    old = life.body
    for line in life.ledger.lines:
        place = line.number - 1
        asked = body["lines"][place]["quantity"]["value"]
        if Decimal(old["lines"][place]["quantity"]["value"]) != Decimal(asked):
            line.authorised = Decimal(asked)
    life.body, life.version = body, life.version + 1
    life.milestones.append(("amended", str(life.version)))
    life.say(INTAKE + "DocumentAmended")


def _is_called_for(step: Entry, changed: set[str]) -> bool:
    fields = step.get("fields", ())
    return not fields or any(_covers(pattern, place) for pattern in fields for place in changed)


def _covers(pattern: str, place: str) -> bool:
    wanted, given = pattern.split("/"), place.split("/")
    return len(given) >= len(wanted) and all(a in ("*", b) for a, b in zip(wanted, given, strict=False))


def _amended(life: Life, wish: str) -> tuple[dict[str, Any], set[str]]:
    """The new body, and the places in which it differs."""
    body = copy.deepcopy(dict(life.body))
    if wish not in FACTORS:
        body["remarks"] = f"{body.get('remarks', '')} amended".strip()
        return body, {"/remarks"}
    line, factor = body["lines"][0], FACTORS[wish]
    for name in ("net_weight_kg", "gross_weight_kg"):
        line[name] = text((Decimal(line[name]) * factor).quantize(FINENESS, ROUND_HALF_UP))
    quantity = (Decimal(line["quantity"]["value"]) * factor).quantize(FINENESS, ROUND_DOWN)
    line["quantity"]["value"] = text(quantity)
    before = line["value"]["amount_minor"]
    price = line.get("unit_price", {}).get("amount_minor", Decimal(before) / quantity * factor)
    line["value"]["amount_minor"] = max(1, int((quantity * price).quantize(Decimal(1), ROUND_HALF_UP)))
    body["total"]["amount_minor"] += line["value"]["amount_minor"] - before
    own = ("net_weight_kg", "gross_weight_kg", "quantity/value", "value/amount_minor")
    return body, {*(f"/lines/0/{name}" for name in own), "/total/amount_minor"}


def _read_again(life: Life, body: dict[str, Any]) -> Reading:
    """Under the facts as they would be; the draw stays as it was. The owner and its supplier are known by now."""
    known = replace(life.filed.known, first_operation=False, new_supplier=False)
    return table.read(life.book, judge(life.book, replace(life.filed, body=body)).facts, known)
