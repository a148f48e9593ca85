"""What a pack admits to be paid, as values: advances, limits by goods, tolerances, exemptions, reconciliation."""

from decimal import Decimal
from typing import Any

import pytest
from intake.domain.payments import PaymentKind
from intake.domain.settlements import Admitted, Settlement, admitted
from kit.errors import Refused
from packs.model import Advance, AdvanceLimit, Tolerance
from packs.model import Settlement as Terms

FACTS = {"amount_minor": 1_000_000, "currency": "USD", "national_value_minor": 10_000_000, "payment": "TRANSFER"}
HIGHER = (AdvanceLimit(hs=("30",), max_minor=8_000_000),)
LIMITED = Advance(max_minor=2_000_000, higher=HIGHER)


def terms(**changes: Any) -> Terms:
    return Terms(**({"recorder": "agency_bank", "role": "bank_officer", "pay_in": ("OPEN",)} | changes))


@pytest.mark.parametrize(
    ("advance", "goods", "expected"),
    [
        (None, ["640399"], 0),
        (Advance(), ["640399"], 1_000_000),
        (Advance(share=Decimal("0.3")), ["640399"], 300_000),
        (LIMITED, ["640399"], 200_000),
        (LIMITED, ["300490"], 800_000),
        (LIMITED, ["300490", "640399"], 200_000),
        (Advance(max_minor=20_000_000), ["640399"], 1_000_000),
    ],
)
def test_an_advance_is_a_share_up_to_a_limit(advance: Advance | None, goods: list[str], expected: int) -> None:
    found = admitted(terms(advance=advance), FACTS, goods)
    assert found is not None
    assert found.advance_minor == expected


def test_without_a_rate_nobody_knows_the_limit_and_nothing_is_advanced() -> None:
    found = admitted(terms(advance=LIMITED), {**FACTS, "national_value_minor": None}, ["640399"])
    assert found == Admitted("USD", 1_000_000, 0, None)


def test_goods_with_a_tolerance_are_paid_over_the_amount_by_no_more() -> None:
    wheat = terms(tolerance=(Tolerance(hs=("10",), share=Decimal("0.01")),))
    found = admitted(wheat, FACTS, ["100199"])
    assert found == Admitted("USD", 1_000_000, 0, 1_010_000)
    imputed = Settlement(found, imputed_minor=1_500_000)
    assert imputed.pay(PaymentKind.SETTLEMENT, 1_010_000).remaining_minor == 0
    with pytest.raises(Refused):
        imputed.pay(PaymentKind.SETTLEMENT, 1_010_001)
    assert admitted(wheat, FACTS, ["100199", "640399"]) == Admitted("USD", 1_000_000, 0, None)


def test_nothing_is_paid_of_what_is_exempt() -> None:
    free = terms(advance=Advance(), exempt="payment == 'NONE'")
    assert admitted(free, {**FACTS, "payment": "NONE"}, ["640399"]) == Admitted("USD", 1_000_000, 0, 0)
    assert admitted(free, {"payment": "NONE"}, ["640399"]) is None


def test_an_advance_once_admitted_stands_as_far_as_the_new_amount_carries_it() -> None:
    given = Settlement(Admitted("USD", 1_000_000, 500_000, None), paid_minor=400_000)
    kept = given.amend(Admitted("USD", 900_000, 100_000, None), terms(advance=Advance()))
    assert kept.admitted.advance_minor == 500_000
    lower = given.amend(Admitted("USD", 450_000, 100_000, None), terms(advance=Advance()))
    assert lower.admitted.advance_minor == 450_000
    unpaid = Settlement(Admitted("USD", 1_000_000, 500_000, None))
    assert unpaid.amend(Admitted("USD", 900_000, 0, 0), terms(advance=Advance())).ceiling_minor == 0
    for after in (
        *(Admitted("USD", 399_999, 0, None), Admitted("EUR", 900_000, 900_000, None)),
        Admitted("USD", 900_000, 0, 0),
    ):
        with pytest.raises(Refused) as refused:
            given.amend(after, terms(advance=Advance()))
        assert refused.value.code == "BELOW_PAID"


@pytest.mark.parametrize(
    ("direction", "imputed", "paid", "is_reconciled"),
    [
        *(("out", 100, 100, True), ("out", 100, 90, True), ("out", 100, 101, False), ("out", 0, 0, True)),
        *(("in", 100, 100, True), ("in", 100, 96, True), ("in", 100, 94, False), ("in", 0, 0, True)),
    ],
)
def test_reconciled_is_no_more_than_imputed_out_and_no_less_in(
    direction: Any, imputed: int, paid: int, is_reconciled: bool
) -> None:
    asked = terms(direction=direction, shortfall=Decimal("0.05"))
    given = Settlement(Admitted("USD", 1000, 1000, None), imputed, paid)
    if is_reconciled:
        given.refuse_unreconciled(asked)
        return
    with pytest.raises(Refused) as refused:
        given.refuse_unreconciled(asked)
    assert refused.value.code == "UNRECONCILED"
