"""The course of a life: through its steps, through what its owner does, to customs' ledger."""

from __future__ import annotations

import copy
from dataclasses import replace
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from typing import Any

from portolan_cli.generation.bodies import text
from portolan_cli.reference import acts, steps, table
from portolan_cli.reference.book import Entry, holds, many
from portolan_cli.reference.judge import judge
from portolan_cli.reference.life import INTAKE, Life
from portolan_cli.reference.steps import REASON, decide, ended_by_owner
from portolan_cli.reference.table import Reading
from portolan_cli.reference.titles import FINENESS, Line

FACTORS = {"more": Decimal("1.2"), "less": Decimal("0.9")}
DECLARATION = "customs_declaration"
DECLARED, CLEARED, UNDECLARED = ("REGISTERED", "COUPLED", "IMPUTED"), ("CONTROLLED", "PAID", "RELEASED"), "CANCELLED"


def run(life: Life) -> Life:
    """To its end, as far as people take it."""
    if steps.run(life) and not ended_by_owner(life, len(life.kind["steps"])):
        _ledger(life)
    return life


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
    _expire(life)


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


def _expire(life: Life) -> None:
    """What was not used while it was valid cannot be used any more; what was used and paid is cleared."""
    if not life.time_passes or not life.script.expires or not life.leads_to("expire"):
        return
    life.act(acts.EXPIRE)
    life.move("expire")
    if 0 < life.ledger.paid_minor == life.ledger.imputed_minor and life.leads_to("clear"):
        life.act(acts.CLEAR, agency=life.facts[life.kind["settlement"]["recorder"]], request={"reconciled": True})
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
    called = [step for step in terms.get("steps", ()) if _is_called_for(step, changed)]
    if not called:
        _in_effect(life, body)
        return
    life.move("amend")
    life.say(INTAKE + "AmendmentProposed")
    reading = _read_again(life, body)
    accepted = all(_asked_again(life, step, reading) for step in called)
    life.move("amend_accept" if accepted else "amend_reject", before)
    if accepted:
        _in_effect(life, body)


def _asked_again(life: Life, step: Entry, reading: Reading) -> bool:
    (part,) = life.parts(step, reading)
    life.open(step, [part], step.get("enters", ""))
    outcome, _ = decide(life, part)
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
