"""The invented country differs from the reference one where programs like to assume."""

from datetime import UTC, date, datetime

import packs
from packs import company_numbers
from packs.calendar import WorkingCalendar
from packs.reader import PACKS_FOLDER

PACK = packs.read(PACKS_FOLDER / "meridia")
REFERENCE = packs.read(PACKS_FOLDER / "morocco")


def test_its_weekend_is_friday_and_saturday() -> None:
    thursday_eleven = datetime(2026, 11, 26, 14, tzinfo=UTC)
    sunday_nine = datetime(2026, 11, 29, 12, tzinfo=UTC)
    assert WorkingCalendar(PACK.calendar).add(thursday_eleven, 2 * 3600) == sunday_nine


def test_noon_does_not_count_and_its_own_feast_neither() -> None:
    working = WorkingCalendar(PACK.calendar)
    monday = datetime(2026, 11, 30, 3, tzinfo=UTC)
    assert working.between(monday, monday.replace(day=30, hour=23)) == 7.5 * 3600
    assert working.holiday(date(2026, 5, 17)) == {"es": "Día de la Carta", "en": "Charter Day"}


def test_it_shares_no_words_numbers_or_documents_with_the_reference_country() -> None:
    assert set(PACK.document_types).isdisjoint(REFERENCE.document_types)
    assert set(PACK.agencies).isdisjoint(REFERENCE.agencies)
    assert PACK.currency != REFERENCE.currency
    assert {len(code.code) for code in PACK.lists["hs"].codes} == {4}


def test_a_company_number_of_one_country_is_none_of_the_other() -> None:
    assert company_numbers.fault(PACK.company_number, "20100001013") is None
    assert company_numbers.fault(REFERENCE.company_number, "20100001013") is not None
