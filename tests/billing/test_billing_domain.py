from datetime import UTC, datetime
from decimal import Decimal

import pytest
from billing.domain.ledger import Posting, statement
from billing.domain.money import MixedCurrencies, Money, half_up, total
from billing.domain.prices import PriceBook, PriceVersion, TariffItem, refuse_overlaps_and_holes
from hypothesis import given
from hypothesis import strategies as st
from kit.errors import Invalid, Unavailable

RATES = st.decimals("0", "1", places=6)
AMOUNTS = st.integers(0, 10**14)
JAN, JUL = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)


@pytest.mark.parametrize("amount", [1.0, Decimal(1), "1", True])
def test_only_whole_numbers_are_money(amount: object) -> None:
    with pytest.raises(TypeError):
        Money(amount, "XTS")  # type: ignore[arg-type]


@pytest.mark.parametrize("currency", ["", "xts", "XT", "XTSX", "XTS\n"])
def test_a_currency_is_three_capital_letters(currency: str) -> None:
    with pytest.raises(ValueError, match="ISO 4217"):
        Money(1, currency)


def test_a_float_is_no_rate() -> None:
    with pytest.raises(TypeError):
        half_up(100, 0.2)  # type: ignore[arg-type]


def test_currencies_do_not_mix() -> None:
    with pytest.raises(MixedCurrencies):
        Money(1, "XTS") + Money(1, "XXX")


@pytest.mark.parametrize(
    ("net", "rate", "vat"), [(2500, "0.20", 500), (3, "0.5", 2), (1, "0.5", 1), (2, "0.2", 0), (-3, "0.5", -2)]
)
def test_vat_is_rounded_half_up(net: int, rate: str, vat: int) -> None:
    assert half_up(net, Decimal(rate)) == vat


@given(AMOUNTS, RATES)
def test_vat_is_never_further_than_half_a_unit_from_exact(net: int, rate: Decimal) -> None:
    over, under = rate.as_integer_ratio()
    assert -under < 2 * (half_up(net, rate) * under - net * over) <= under


@given(AMOUNTS, RATES, RATES)
def test_net_and_vat_make_the_gross(net: int, rate: Decimal, multiplier: Decimal) -> None:
    item = TariffItem("T", {}, Money(net, "XTS"), "t", "S", {"occasional": multiplier})
    price = PriceVersion("v", JAN, None, "XTS", rate, [item]).price(item, "occasional")
    assert price.net + price.vat == price.gross
    assert 0 <= price.vat.amount_minor <= price.net.amount_minor


def a_book() -> PriceBook:
    def item(net: int) -> TariffItem:
        return TariffItem("T", {}, Money(net, "XTS"), "t", "S", {})

    old = PriceVersion("old", JAN, JUL, "XTS", Decimal("0.1"), [item(100)])
    return PriceBook([old, PriceVersion("new", JUL, None, "XTS", Decimal("0.2"), [item(200), item(0)])])


@given(st.datetimes(datetime(2026, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_exactly_one_version_is_good_at_any_moment(moment: datetime) -> None:
    book = a_book()
    assert [version.version for version in book.versions if version.covers(moment)] == [book.at(moment).version]


def test_the_new_price_begins_with_the_first_instant_of_its_version() -> None:
    just_before = JUL.replace(month=6, day=30, hour=23, minute=59, second=59, microsecond=999999)
    assert [price.net.amount_minor for price in a_book().due("t", "S", "", just_before)] == [100]
    assert [price.net.amount_minor for price in a_book().due("t", "S", "", JUL)] == [200]


def test_what_cannot_be_priced_waits_and_what_is_not_billed_is_free() -> None:
    with pytest.raises(Unavailable):
        a_book().due("t", "S", "", datetime(2025, 1, 1, tzinfo=UTC))
    with pytest.raises(Unavailable):
        PriceBook().due("t", "S", "", JUL)
    assert a_book().due("t", "OTHER", "", datetime(2025, 1, 1, tzinfo=UTC)) == []


@pytest.mark.parametrize("end", [datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 8, 1, tzinfo=UTC), None])
def test_versions_must_meet(end: datetime | None) -> None:
    first = PriceVersion("1", JAN, end, "XTS", Decimal(0), [])
    with pytest.raises(Invalid):
        refuse_overlaps_and_holes([PriceVersion("2", JUL, None, "XTS", Decimal(0), []), first])


@given(st.integers(-(10**9), 10**9), st.lists(st.integers(1, 10**6), max_size=30), st.integers(0, 10))
def test_a_statement_adds_up_even_when_its_first_lines_are_brought_forward(
    opening: int, amounts: list[int], hidden: int
) -> None:
    postings = [Posting(JAN, str(n), str(n), "", {}, Money(amount, "XTS")) for n, amount in enumerate(amounts)]
    first, closing = Money(opening, "XTS"), Money(opening + sum(amounts), "XTS")
    made = statement("org", (JAN, JUL), first, closing, postings[hidden:])
    assert first + total((line.posting.amount for line in made.lines), "XTS") == closing
    assert not made.lines or made.lines[-1].balance == closing
