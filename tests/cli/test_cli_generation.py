"""Generated documents: the same for the same seed, valid unless a fault was meant, in the shares the pack names."""

from collections import Counter
from datetime import date

import packs
import pytest
from packs.reader import default_pack_path
from portolan_cli import generation
from portolan_cli.generation import Company, Generated, Generator, Mix
from portolan_cli.generation.bodies import container
from portolan_cli.generation.chance import Chance
from portolan_cli.reference.book import Book
from portolan_cli.reference.judge import Filed, judge
from stdnum import iso6346

DAY = date(2026, 11, 20)
COUNT = 3_000


@pytest.fixture(scope="module")
def pack() -> packs.Pack:
    return packs.read(default_pack_path())


@pytest.fixture(scope="module")
def mix() -> Mix:
    return generation.load(default_pack_path())


@pytest.fixture(scope="module")
def book() -> Book:
    return Book(default_pack_path())


@pytest.fixture(scope="module")
def companies(pack: packs.Pack, mix: Mix) -> list[Company]:
    return generation.companies(pack, mix)


@pytest.fixture(scope="module")
def documents(pack: packs.Pack, mix: Mix, companies: list[Company]) -> list[Generated]:
    return list(Generator(pack, mix, companies, 7, DAY).documents(COUNT))


def filed(document: Generated) -> Filed:
    owner = document.owner
    return Filed(
        document.type, document.body, owner.key, owner.attributes, owner.billing_mode, document.submitter.key, str(DAY)
    )


def test_a_seed_makes_the_same_documents_again(
    pack: packs.Pack, mix: Mix, companies: list[Company], documents: list[Generated]
) -> None:
    again = Generator(pack, mix, companies, 7, DAY)
    other = Generator(pack, mix, companies, 8, DAY)
    assert [one.body for one in documents[:200]] == [one.body for one in again.documents(200)]
    assert again.document(150).body == documents[149].body, "each by itself, whatever was made before"
    assert other.document(1).body != documents[0].body


def test_no_two_are_alike(documents: list[Generated]) -> None:
    assert len({repr(one.body) for one in documents}) == COUNT


def test_what_has_no_fault_is_valid(book: Book, documents: list[Generated]) -> None:
    for document in documents:
        if not document.fault:
            found = judge(book, filed(document)).violations
            # Goods of chance may need another title: that is the table's word, not a fault of the body.
            assert {place for place, _ in found} <= {"/type"}, (document.number, found)


@pytest.mark.parametrize(
    ("fault", "code"), [("unknown_code", "UNKNOWN_CODE"), ("wrong_total", "lines_total"), ("check_digit", "FORMAT")]
)
def test_a_fault_is_found(book: Book, documents: list[Generated], fault: str, code: str) -> None:
    spoilt = [one for one in documents if one.fault == fault]
    assert spoilt
    for document in spoilt:
        assert code in {found for _, found in judge(book, filed(document)).violations}


def test_shares_are_those_of_the_mix(pack: packs.Pack, mix: Mix, documents: list[Generated]) -> None:
    found = Counter(one.type for one in documents)
    for key, share in mix.shares(pack).items():
        assert found[key] / COUNT == pytest.approx(share, abs=0.03)
    faults = Counter(one.fault for one in documents)
    assert faults["unknown_code"] / COUNT == pytest.approx(mix.faults.unknown_code, abs=0.01)
    assert faults["wrong_total"] / COUNT == pytest.approx(mix.faults.wrong_total, abs=0.008)
    in_parts = sum(len(one.script.imputing.parts) > 1 for one in documents)
    assert in_parts / COUNT == pytest.approx(mix.imputing.parts, abs=0.03)


def test_company_numbers_are_real_and_each_ones_own(pack: packs.Pack, companies: list[Company]) -> None:
    numbers = [one.company_number for one in companies]
    assert len(set(numbers)) == len(numbers)
    assert all(packs.company_numbers.fault(pack.company_number, number) is None for number in numbers)


def test_containers_have_their_check_digit() -> None:
    assert all(iso6346.is_valid(container(Chance(number))) for number in range(200))
