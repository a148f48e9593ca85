"""The plain model, by hand-worked cases; and that it is plain: nothing of the engines takes part in it."""

import ast
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import packs
import portolan_cli.reference
import pytest
from packs.decisions import DecisionTable
from packs.reader import default_pack_path
from portolan_cli import generation
from portolan_cli.generation.chance import Chance
from portolan_cli.generation.script import Imputing, Script, Settling
from portolan_cli.reference import acts, course, effects, table
from portolan_cli.reference.book import Book
from portolan_cli.reference.judge import Filed, judge
from portolan_cli.reference.life import Life, begin
from portolan_cli.reference.table import within

ENGINES = {"packs.decisions", "packs.goods", "packs.expressions", "packs.prices", "packs.amendments", "packs.draw"}
SERVICES = {"intake", "routing", "billing", "notifications", "identity", "gateway"}
ALL_AT_ONCE = Imputing((1.0,), too_much=False, given_back=0)


@pytest.fixture(scope="module")
def book() -> Book:
    return Book(default_pack_path())


def example(book: Book, document_type: str, **changes: Any) -> Filed:
    body = {**book.types[document_type]["schema"]["examples"][0], **changes}
    return Filed(document_type, body, "owner", (), "subscriber", "broker", "2026-11-20", document_id="document-1")


class Obliging(Script):
    """Everybody says what lets the document go on."""

    def answer(
        self, step: Any, agency: str, entry: int = 1, exhausted: frozenset[str] = frozenset()
    ) -> generation.script.Answer:
        outcome = next(name for name, one in step["outcomes"].items() if one["then"] == "next")
        return generation.script.Answer(outcome)


def script(imputing: Imputing = ALL_AT_ONCE, **changes: Any) -> Script:
    plain: dict[str, Any] = {
        "duplicate": False,
        "asks": False,
        "lapses": False,
        "declines": False,
        "ends": "",
        "ends_after": 0,
        "expires": False,
        "amends": "",
        "settling": Settling(0.0, too_much=False),
    }
    mix, reasons = generation.load(default_pack_path()), {"WHY": ("refuse", "reject")}
    return Obliging(Chance("test"), mix, reasons, imputing=imputing, **{**plain, **changes})


def lived(book: Book, document_type: str, with_script: Script, **changes: Any) -> Life:
    return course.run(begin(book, example(book, document_type, **changes), with_script, time_passes=True))


def imported(tree: ast.AST) -> set[str]:
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {alias.name for node in found if isinstance(node, ast.Import) for alias in node.names}
    for node in found:
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def test_no_engine_takes_part_in_the_model() -> None:
    folder = Path(portolan_cli.reference.__file__).parent
    model = ("book", "schema", "table", "judge", "life", "course", "steps", "weights", "titles", "effects", "acts")
    for name in model:
        names = imported(ast.parse((folder / f"{name}.py").read_text()))
        assert not {one for one in names if one in ENGINES or one.split(".")[0] in SERVICES}, name


def test_the_first_example_of_every_type_is_taken(book: Book) -> None:
    for document_type in book.types:
        assert judge(book, example(book, document_type)).violations == frozenset()


def test_ranges_of_goods() -> None:
    assert within("61-64", "640399")
    assert not within("61-64", "650000")
    assert within("7208-7212", "721012")
    assert not within("4012", "401100")


def test_an_engagement_goes_through_bank_and_customs_and_is_used_up(book: Book) -> None:
    life = lived(book, "import_title.ei", script(Imputing((0.5, 0.5), too_much=True, given_back=0)))
    assert life.state == "FULLY_IMPUTED"
    assert [act.kind for act in life.acts] == [acts.DECIDE, acts.DECIDE, acts.IMPUTE, acts.IMPUTE, acts.IMPUTE]
    assert life.acts[2].refused == "QUANTITY_EXCEEDED"
    assert life.ledger.lines[0].figures()["remaining"] == 0
    assert effects.charges(book, life) == [("TI-EI", 3000)]


def test_the_occasional_pay_more(book: Book) -> None:
    filed = replace(example(book, "import_title.ei"), owner_billing_mode="occasional")
    assert effects.charges(book, course.run(begin(book, filed, script()))) == [("TI-EI", 7500)]


def test_a_licence_is_signed_twice_and_may_be_ended_by_its_owner(book: Book) -> None:
    life = lived(book, "import_title.li", script(ends="cancel", ends_after=1))
    assert life.state == "CANCELLED"
    assert [act.kind for act in life.acts] == [acts.DECIDE, acts.CANCEL]
    signed = lived(book, "import_title.li", script())
    by_ministry = [act.person for act in signed.acts if act.step == "ministry_decision"]
    assert sorted(by_ministry) == [1, 2]


def test_what_its_owner_ends_in_time_is_given_back_by_the_packs_policies(book: Book) -> None:
    early = lived(book, "import_title.ei", script(ends="withdraw", ends_after=0))
    assert effects.credits(book, early, effects.charges(book, early)) == [("TI-EI", "RB-RET", 3000)]
    domiciled = lived(book, "import_title.ei", script(ends="cancel", ends_after=1))
    credited = effects.credits(book, domiciled, effects.charges(book, domiciled))
    assert credited == [("TI-EI", "RB-ANN-DOM", 1500)]
    used = lived(book, "import_title.ei", script())
    assert effects.credits(book, used, effects.charges(book, used)) == []
    told = effects.notices(book, domiciled, effects.charges(book, domiciled), {}, credited)
    assert (told["owner", "N39"], told["broker", "N39"]) == (1, 0)


def test_an_agency_asks_and_the_document_comes_back(book: Book) -> None:
    life = lived(book, "import_title.li", script(asks=True))
    assert life.moves[:2] == [
        ("TECH_OPINION", "request_information", "INFO_REQUESTED"),
        ("INFO_REQUESTED", "information_provided", "TECH_OPINION"),
    ]
    assert life.state == "FULLY_IMPUTED"


def test_an_amendment_makes_a_version_and_a_charge(book: Book) -> None:
    life = lived(book, "import_title.ei", script(amends="more"))
    asked = Decimal(book.types["import_title.ei"]["schema"]["examples"][0]["lines"][0]["quantity"]["value"])
    assert (life.version, life.state) == (2, "FULLY_IMPUTED")
    assert life.ledger.lines[0].authorised == asked * Decimal("1.2")
    assert effects.charges(book, life) == [("TI-AMD", 1200), ("TI-EI", 3000)]
    at_once = lived(book, "import_title.ei", script(amends="remarks"))
    assert "AMENDMENT_PENDING" not in {to for *_, to in at_once.moves}


def test_what_is_given_back_leads_back(book: Book) -> None:
    life = lived(book, "import_title.ei", script(Imputing((0.4, 0.6), too_much=False, given_back=2)))
    assert life.state == "PARTIALLY_IMPUTED"
    assert life.moves[-1] == ("FULLY_IMPUTED", "release_imputation", "PARTIALLY_IMPUTED")


def test_agencies_control_an_export_side_by_side(book: Book) -> None:
    life = lived(book, "export_title", script())
    assert life.tasks[:2] == [("FOODEX", "agency_control"), ("ONSSA", "agency_control")]
    assert life.moves[0] == ("SUBMITTED", "open_control", "AGENCY_CONTROL")


def test_the_owner_and_the_broker_are_told(book: Book) -> None:
    life = lived(book, "import_title.ei", script())
    told = effects.notices(book, life, effects.charges(book, life), {"ADII": "customs", "BANK-007": "bank"})
    assert told["owner", "N01"] == told["broker", "N01"] == 1
    assert told["owner", "N14"] == 1
    assert told["broker", "N14"] == 0
    assert told["customs", "N15"] == 1


def test_the_draw_is_that_of_the_tables(book: Book) -> None:
    """Of many documents, about as many as the share; the very ones that the engine draws."""
    engine = DecisionTable.of(packs.read(default_pack_path()))
    facts = [
        {**judge(book, example(book, "import_title.ei")).facts, "document_id": f"document-{number}"}
        for number in range(400)
    ]
    drawn = Counter(rule for one in facts for rule in table.read(book, one).ids)
    assert drawn == Counter(rule.id for one in facts for rule in engine.match(one))
    assert 0 < drawn["R32"] < 40


class Says(Obliging):
    """By step and agency, else what lets the document go on; the first time, and then the same again."""

    def answer(
        self, step: Any, agency: str, entry: int = 1, exhausted: frozenset[str] = frozenset()
    ) -> generation.script.Answer:
        said = {
            ("document_review", "ONSSA"): "visit",
            ("document_review", "DPM"): "visit",
            ("visit_result", "ONSSA"): "sample",
            ("visit_result", "DPM"): "conform_with_conditions",
            ("sampling", "ONSSA"): "sent",
            ("laboratory", "LAB-ONSSA"): "conform",
        }
        return generation.script.Answer(said[str(step["key"]), agency])


def controlled(book: Book, number: int, with_script: Script) -> Life:
    filed = example(book, "control_request")
    body = book.types["control_request"]["schema"]["examples"][number]
    return course.run(begin(book, replace(filed, body=body), with_script))


def says(kind: type[Script] = Says, **changes: Any) -> Script:
    return kind(**vars(script(**changes)))


def test_two_bodies_visit_together_and_the_graver_word_stands(book: Book) -> None:
    life = controlled(book, 1, says(declines=True))
    assert life.state == "CONFORM_WITH_CONDITIONS"
    assert [(agency, step) for agency, step in life.tasks] == [
        *(("ONSSA", "document_review"), ("DPM", "document_review")),
        *(("ONSSA", "visit"), ("DPM", "visit")),
        *(("ONSSA", "visit_result"), ("DPM", "visit_result")),
        ("ONSSA", "sampling"),
        ("LAB-ONSSA", "laboratory"),
    ]
    visits = [act.kind for act in life.acts if act.kind in (acts.PROPOSE_VISIT, acts.CONFIRM_VISIT, acts.DECLINE_VISIT)]
    assert visits == ["propose", "decline", "propose", "confirm", "confirm"]
    assert effects.charges(book, life) == [("CTL", 4800)]
    told = effects.notices(book, life, effects.charges(book, life), {"ONSSA": "onssa", "DPM": "fisheries"})
    assert (told["onssa", "N71"], told["fisheries", "N71"], told["onssa", "N72"]) == (2, 2, 1)
    assert told["owner", "N76"] == told["broker", "N76"] == 1


def test_goods_that_concern_nobody_need_no_control(book: Book) -> None:
    body = book.types["control_request"]["schema"]["examples"][0]
    books = {**body, "lines": [{**body["lines"][0], "hs_code": "490199"}]}
    life = course.run(begin(book, replace(example(book, "control_request"), body=books), script()))
    assert (life.state, life.tasks, effects.charges(book, life)) == ("NOT_REQUIRED", [], [])


def test_a_question_that_nobody_answers_lapses(book: Book) -> None:
    life = lived(book, "import_title.li", script(asks=True, lapses=True))
    assert ("INFO_REQUESTED", "information_lapsed", "TECH_OPINION") in life.moves
    assert [act.kind for act in life.acts].count(acts.LAPSE) == 1
    assert acts.PROVIDE not in {act.kind for act in life.acts}
    told = effects.notices(book, life, [], {"MIC-DT": "technical"})
    assert told["technical", "N27"] == told["owner", "N27"] == 1


def test_nobody_is_silent_while_anothers_clock_runs(book: Book) -> None:
    life = lived(book, "export_title", script(asks=True, lapses=True))
    assert acts.LAPSE not in {act.kind for act in life.acts}


def test_what_is_not_used_up_expires_and_is_cleared_when_paid(book: Book) -> None:
    half = Imputing((0.5,), too_much=False, given_back=0)
    unpaid = lived(book, "import_title.ei", script(half, expires=True))
    assert unpaid.moves[-1] == ("PARTIALLY_IMPUTED", "expire", "EXPIRED")
    paid = lived(book, "import_title.ei", script(half, expires=True, settling=Settling(1.0, too_much=False)))
    assert paid.moves[-1] == ("EXPIRED", "clear", "CLEARED")
    assert lived(book, "import_title.ei", script(expires=True)).state == "FULLY_IMPUTED"
