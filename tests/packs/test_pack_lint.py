"""The linter finds each fault where it stands, and nothing in a pack without faults."""

from pathlib import Path
from typing import Any

import pytest
from packs.lint import RULES, lint
from packs.reader import PACKS_FOLDER

from tests.packs.builders import PackFolder, move, state, words
from tests.packs.faults import (
    A_STRING,
    AGAIN,
    AMENDMENT,
    RUNG,
    SCHEMA,
    TYPE,
    Change,
    a_refund_of_nothing,
    add,
    amended,
    drop,
    golden,
    price,
    property_,
    put,
    refunding,
    step_ladder,
    tacit,
    together,
)


def test_a_pack_without_faults_has_no_findings(pack_folder: PackFolder) -> None:
    assert lint(pack_folder.write()) == []


def test_a_type_that_may_be_amended_is_without_faults(pack_folder: PackFolder) -> None:
    amended()(pack_folder)
    assert lint(pack_folder.write()) == []


def test_ladders_that_lead_upwards_are_without_faults(pack_folder: PackFolder) -> None:
    rungs: list[dict[str, Any]] = [
        {"at": "0.5"},
        {"key": "b", "at": "1"},
        {"key": "c", "after_seconds": 60},
        {"key": "d", "at": "1.5"},
    ]
    step_ladder(*rungs)(pack_folder)
    put("ladder.yaml", value={"rungs": [{**RUNG, "at": "1"}]})(pack_folder)
    assert lint(pack_folder.write()) == []


def test_a_refund_is_without_faults(pack_folder: PackFolder) -> None:
    refunding()(pack_folder)
    assert lint(pack_folder.write()) == []


def test_a_step_that_silence_decides_is_without_faults(pack_folder: PackFolder) -> None:
    tacit(basis=words("Act"))(pack_folder)
    assert lint(pack_folder.write()) == []


@pytest.mark.parametrize("pack", sorted(file.parent for file in PACKS_FOLDER.glob("*/pack.yaml")), ids=lambda p: p.name)
def test_every_pack_here_is_without_faults(pack: Path) -> None:
    assert [str(finding) for finding in lint(pack)] == []


# What is done to the pack · the file that is found at fault · text on the line · text of the finding.

FAULTS: list[tuple[Change, str, str, str]] = [
    (put("routing.yaml", "rules", 0, "colour", value="red"), "routing.yaml", "colour", "unknown field"),
    # silence
    (tacit(), TYPE, "tacit", "the law that lets silence decide is not named"),
    (
        together(tacit(basis=words("Act")), put(TYPE, "steps", 0, "outcomes", "accept", "then", value="step:bank")),
        TYPE,
        "outcome: accept",
        "silence leads back",
    ),
    (tacit(basis=words("Act"), outcome="bless"), TYPE, "bless", "bank has no outcome bless"),
    (tacit(basis=words("Act"), seconds=0), TYPE, "seconds", "a term is a positive number of seconds"),
    (tacit(basis=words("Act"), seconds=60), TYPE, "seconds", "before the agency's own term"),
    (tacit(basis={"fr": "Loi"}), TYPE, "basis", "no label in ar"),
    (
        together(tacit(basis=words("Act")), put(TYPE, "steps", 0, "mode", value="four_eyes")),
        TYPE,
        "tacit",
        "two persons sign here",
    ),
    # ladders
    (step_ladder({"at": "1"}, {"at": "1"}), TYPE, "key", "is given twice"),
    (step_ladder({"at": "1.5"}, {"key": "b", "at": "0.5"}), TYPE, "key: b", "does not come after the ones before"),
    (step_ladder({}), TYPE, "key", "exactly one of at and after_seconds"),
    (step_ladder({"at": "1", "after_seconds": 5}), TYPE, "key", "exactly one of at and after_seconds"),
    (step_ladder({"at": "0.005"}), TYPE, "key", "in whole per cents"),
    (step_ladder({"after_seconds": 0}), TYPE, "key", "a positive number of seconds"),
    (step_ladder({"at": "1", "notify": []}), TYPE, "key", "tells nobody"),
    (step_ladder({"at": "1", "notify": ["king"]}), TYPE, "king", "king"),
    (step_ladder(*({"key": f"r{n}", "at": str(n)} for n in range(1, 10))), TYPE, "ladder", "at most 8 rungs"),
    (put("ladder.yaml", value=[{**RUNG, "at": "0"}]), "ladder.yaml", "key", "more than nothing"),
    # incompatible steps
    (put(TYPE, "incompatible", value=[["bank", "throne"]]), TYPE, "throne", "unknown step throne"),
    (put(TYPE, "incompatible", value=[["bank", "bank"]]), TYPE, "bank", "two steps or more"),
    # amendments
    (amended(((*AMENDMENT, "states"), ["NOWHERE"])), TYPE, "NOWHERE", "unknown state NOWHERE"),
    (amended(((*AMENDMENT, "states"), ["REFUSED"])), TYPE, "REFUSED", "no transition amend from REFUSED"),
    (amended((("transitions", 4, "to"), "REFUSED")), TYPE, "GRANTED", "no transition amend_accept from PENDING back"),
    (
        amended((("transitions", 3, "from"), "WITH_BANK"), ((*AMENDMENT, "states"), ["WITH_BANK"])),
        TYPE,
        "WITH_BANK",
        "may still raise",
    ),
    (amended(((*AMENDMENT, "fields"), [])), TYPE, "fields", "may change nothing"),
    (amended(((*AMENDMENT, "fields"), ["amount", "/amount"])), TYPE, "amount", "is not a pointer"),
    (amended(((*AGAIN, "fields"), ["/origin"])), TYPE, "fields", "/origin may not change"),
    (amended(((*AGAIN, "key"), "bank")), TYPE, "key", "step bank is given twice"),
    (amended(((*AGAIN, "role"), "king")), TYPE, "key", "unknown role king"),
    (amended(((*AGAIN, "agency"), {"rules": "control"})), TYPE, "key", "exactly one of code and fact"),
    (amended(((*AGAIN, "agency"), {"fact": "bank"})), TYPE, "key", "unknown fact bank"),
    (amended(((*AGAIN, "agency"), {"code": "NOBODY"})), TYPE, "key", "unknown agency NOBODY"),
    (amended(((*AGAIN, "enters"), "amend")), TYPE, "key", "raise no events"),
    (amended(((*AGAIN, "sla_seconds"), 0)), TYPE, "key", "positive number of seconds"),
    # labels
    (drop("agencies.yaml", 0, "labels", "ar"), "agencies.yaml", "labels", "no label in ar"),
    (put("agencies.yaml", 0, "labels", "ar", value=" "), "agencies.yaml", "ar:", "no label in ar"),
    (put("agencies.yaml", 0, "labels", "es", value="x"), "agencies.yaml", "es:", "es is not a language"),
    (drop(TYPE, "steps", 0, "asked", "en"), TYPE, "asked", "no label in en"),
    (drop(TYPE, "checks", 0, "messages", "en"), TYPE, "messages", "no label in en"),
    (drop(SCHEMA, "properties", "amount", "x-labels", "fr"), SCHEMA, '"x-labels"', "no label in fr"),
    (drop("templates/granted.yaml", "body", "ar"), "templates/granted.yaml", "body", "no label in ar"),
    (drop("lists/ports.yaml", "codes", 0, "labels", "ar"), "lists/ports.yaml", "labels", "no label in ar"),
    (put("pack.yaml", "default_language", value="es"), "pack.yaml", "default_language", "not among the languages"),
    # calendar
    (put("calendar.yaml", "timezone", value="Europe/Atlantis"), "calendar.yaml", "Atlantis", "no time zone"),
    (put("calendar.yaml", "working_week", "mon", value=["9 to 5"]), "calendar.yaml", "9 to 5", "is not a"),
    (put("calendar.yaml", "working_week", value={}), "calendar.yaml", "working_week", "no working hours"),
    (put("calendar.yaml", "holidays", "library", value="ZZ"), "calendar.yaml", "ZZ", "no holidays are known"),
    (put("calendar.yaml", "ramadan_dates", 0, "to", value="2026-02-01"), "calendar.yaml", "from:", "before it begins"),
    # references
    (put(TYPE, "steps", 0, "agency", "code", value="NOBODY"), TYPE, "NOBODY", "unknown agency"),
    (put("routing.yaml", "rules", 0, "agency", value="NOBODY"), "routing.yaml", "NOBODY", "unknown agency"),
    (put("routing.yaml", "rules", 0, "requires_type", value="pass"), "routing.yaml", "pass", "unknown document type"),
    (put("routing.yaml", "rules", 0, "types", value=["pass"]), "routing.yaml", "pass", "unknown document type"),
    (add("reasons.yaml", 0, "outcomes", value="praise"), "reasons.yaml", "praise", "no step has the outcome"),
    (put("notifications.yaml", "rules", 0, "template", value="gone"), "notifications.yaml", "gone", "unknown template"),
    (put("notifications.yaml", "rules", 0, "event", value="a.B"), "notifications.yaml", "a.B", "unknown event"),
    (
        put("notifications.yaml", "rules", 0, "when", value="colour == 1"),
        "notifications.yaml",
        "when",
        "no field colour",
    ),
    (put("lists/ports.yaml", "list", value="harbours"), "lists/ports.yaml", "harbours", "stands in the file of ports"),
    (put("lists/ports.yaml", "codes", value=[]), "lists/ports.yaml", "list", "has no codes"),
    (put("rates.yaml", 0, "currency", value="ZZZ"), "rates.yaml", "ZZZ", "unknown currency"),
    # routing
    (put("routing.yaml", "rules", 0, "hs", value=["shoes"]), "routing.yaml", "shoes", "neither a commodity prefix"),
    (put("routing.yaml", "rules", 0, "hs", value=["7701"]), "routing.yaml", "7701", "no goods have the code"),
    (put("routing.yaml", "rules", 0, "when", value="orign == 'X'"), "routing.yaml", "orign", "the fact orign"),
    (put("routing.yaml", "rules", 0, "share", value="1.5"), "routing.yaml", "1.5", "between 0 and 1"),
    (put("routing.yaml", "rules", 0, "sla_seconds", value=0), "routing.yaml", "sla_seconds", "positive number"),
    (put("routing.yaml", "rules", 0, "mode", value="random"), "routing.yaml", "id: A1", "random without a share"),
    (add("routing.yaml", "rules", value={"id": "A9", "labels": words("x")}), "routing.yaml", "A9", "nothing follows"),
    (put("risk.yaml", "thresholds", "red", value=30), "risk.yaml", "thresholds", "red must come after orange"),
    (put("risk.yaml", "chapter_weights", "00", value=3), "risk.yaml", "'00'", "unknown chapter"),
    (put("risk.yaml", "origin_weights", "XX", value=3), "risk.yaml", "XX", "unknown country"),
    # refunds
    (refunding(("share", "1.01")), "refunds.yaml", "1.01", "more than 0 and at most 1"),
    (refunding(("share", "0")), "refunds.yaml", "share", "more than 0 and at most 1"),
    (refunding(("event", "vanish")), "refunds.yaml", "vanish", "none of these types ever makes the move vanish"),
    (refunding(("from_states", ["FILED"])), "refunds.yaml", "from_states", "never leads away from FILED"),
    (refunding(("document_types", ["pass.*"])), "refunds.yaml", "document_types", "no document type is meant"),
    (refunding(("tariffs", ["PASS"])), "refunds.yaml", "tariffs", "PASS is never charged for these types"),
    (refunding(times=2), "refunds.yaml", "RB", "RB is given twice"),
    (a_refund_of_nothing, "refunds.yaml", "key: RB", "nothing is charged for these types"),
    # tariff
    (price(effective_from="2026-06-29"), "tariff.yaml", "2026-06-29", "overlaps"),
    (price(effective_from="2026-08-01"), "tariff.yaml", "2026-08-01", "a hole between"),
    (put("tariff.yaml", "versions", 0, "effective_to", value="2026-12-31"), "tariff.yaml", "2026-12-31", "a hole"),
    (put("tariff.yaml", "versions", 0, "effective_to", value="2025-12-31"), "tariff.yaml", "2025-12-31", "before it"),
    (
        put("tariff.yaml", "versions", 0, "items", 0, "document_type", value="pass"),
        "tariff.yaml",
        "pass",
        "unknown document",
    ),
    (put("tariff.yaml", "versions", 0, "items", 0, "billed_at", value="PAID"), "tariff.yaml", "PAID", "never meets"),
    (put("tariff.yaml", "versions", 0, "items", 0, "net_minor", value=-1), "tariff.yaml", "-1", "cannot be negative"),
    (put("tariff.yaml", "versions", 0, "price_lock_days", value=-1), "tariff.yaml", "-1", "prices hold from 0 to 366"),
    (put("tariff.yaml", "versions", 0, "vat_rate", value="20"), "tariff.yaml", "vat_rate", "a share such as"),
    # templates
    (
        put("templates/granted.yaml", "body", "en", value="{{ refrence }}"),
        "templates/granted.yaml",
        "refrence",
        "unknown variable",
    ),
    (
        put("templates/granted.yaml", "body", "en", value="{{ reference"),
        "templates/granted.yaml",
        "{{ reference'",
        "not a template",
    ),
    (
        put("templates/granted.yaml", "body", "en", value="{{ reference }}"),
        "templates/granted.yaml",
        "  en: '{{ reference",
        "used in another language",
    ),
    # states
    (put(TYPE, "key", value="permits"), TYPE, "key: permits", "stands in the folder permit"),
    (add(TYPE, "states", value=state("LOST")), TYPE, "key: LOST", "nothing leads to LOST"),
    (put(TYPE, "states", 2, "kind", value="open"), TYPE, "key: GRANTED", "nothing leads out of GRANTED"),
    (add(TYPE, "transitions", value=move("FILED", "vanish", "NOWHERE")), TYPE, "from: FILED", "unknown state NOWHERE"),
    (put(TYPE, "initial_state", value="NOWHERE"), TYPE, "initial_state", "unknown state NOWHERE"),
    (put(TYPE, "validity", value={"starts_at": "NOWHERE", "months": 6}), TYPE, "starts_at", "unknown state NOWHERE"),
    (put(TYPE, "impute_in", value=["FILED"]), TYPE, "- FILED", "no transition impute_partially"),
    (put(TYPE, "title", value=True), TYPE, "title", "needs impute_in"),
    (add(TYPE, "states", value=state("FILED")), TYPE, "key: FILED", "given twice"),
    (add(TYPE, "transitions", value=move("FILED", "send_to_bank", "REFUSED")), TYPE, "transitions", "to two states"),
    # steps
    (put(TYPE, "steps", 0, "enters", value="sent"), TYPE, "enters", "no transition sent from FILED"),
    (
        put(TYPE, "steps", 0, "outcomes", "accept", "event", value="yes"),
        TYPE,
        "accept:",
        "no transition yes from WITH_BANK",
    ),
    (put(TYPE, "steps", 0, "agency", value={}), TYPE, "agency: {}", "exactly one of"),
    (put(TYPE, "steps", 0, "agency", value={"fact": "bank"}), TYPE, "agency", "unknown fact bank"),
    (put(TYPE, "steps", 0, "role", value="king"), TYPE, "king", "unknown role"),
    (put(TYPE, "steps", 0, "sla_seconds", value=0), TYPE, "sla_seconds", "positive number"),
    (put(TYPE, "steps", 0, "outcomes", "accept", "then", value="close"), TYPE, "outcomes", "lets the case go on"),
    (
        put(TYPE, "steps", 0, "outcomes", "Yes!", value={"event": "bank_accept", "then": "next"}),
        TYPE,
        "Yes!",
        "no outcome",
    ),
    (put("reasons.yaml", 0, "outcomes", value=[]), TYPE, "reject:", "no reason is given"),
    # schemas
    (put(SCHEMA, "properties", "amount", "maximum", value="lots"), SCHEMA, "lots", "not a JSON Schema"),
    (put(SCHEMA, "additionalProperties", value=True), SCHEMA, "{", "additionalProperties must be false"),
    (property_("note", {"type": "string", "x-labels": words("N")}), SCHEMA, '"note"', "string without maxLength"),
    (property_("note", {"type": "integer", "x-labels": words("N")}), SCHEMA, '"note"', "integer without maximum"),
    (property_("note", {"type": "number", "x-labels": words("N")}), SCHEMA, '"note"', "number without maximum"),
    (
        property_("note", {"type": "array", "items": A_STRING, "x-labels": words("N")}),
        SCHEMA,
        '"note"',
        "array without maxItems",
    ),
    (property_("note", {"type": "string", "maxLength": 3}), SCHEMA, '"note"', "note without x-labels"),
    (property_("note", {"x-labels": words("N")}), SCHEMA, '"note"', "without a type"),
    (property_("note", {**A_STRING, "x-list": "moons"}), SCHEMA, "moons", "unknown list moons"),
    (property_("note", {**A_STRING, "x-search": "moon"}), SCHEMA, "x-search", "x-search is one of container, "),
    (
        property_("note", {**A_STRING, "x-reference": "licence"}),
        SCHEMA,
        "x-reference",
        "no document type is, or begins",
    ),
    (
        property_("note", {"type": "boolean", "x-reference": "*", "x-labels": words("N")}),
        SCHEMA,
        "x-reference",
        "x-reference marks a string",
    ),
    (property_("note", {**A_STRING, "x-copy": True}), SCHEMA, '"x-copy"', "x-copy stands on a property, and is false"),
    (put(SCHEMA, "x-copy", value=False), SCHEMA, '"x-copy"', "x-copy stands on a property, and is false"),
    (
        put(
            TYPE,
            "steps",
            0,
            "form",
            value={"type": "object", "additionalProperties": False, "properties": {"note": {"type": "string"}}},
        ),
        TYPE,
        "note:",
        "string without maxLength",
    ),
    (drop(SCHEMA, "examples"), SCHEMA, "{", "at least one complete example"),
    (put(SCHEMA, "examples", 0, "amount", value=-5), SCHEMA, "-5", "not a valid example"),
    (put(SCHEMA, "examples", 0, "origin", value="XX"), SCHEMA, '"XX"', "XX is not in the list countries"),
    # expressions
    (put(TYPE, "facts", "origin", value="body."), TYPE, "origin: body", "not an expression"),
    (put(TYPE, "checks", 0, "expression", value="body.amount >"), TYPE, "expression", "not an expression"),
    (put("routing.yaml", "rules", 0, "when", value="origin =="), "routing.yaml", "when", "not an expression"),
    (put("notifications.yaml", "rules", 0, "when", value="to =="), "notifications.yaml", "when", "not an expression"),
    (put(TYPE, "facts", "origin", value="body.amount + 'x'"), TYPE, "origin: body", "on the example"),
    (put(TYPE, "checks", 0, "expression", value="body.amount > 9999"), TYPE, "9999", "the check is not met"),
    (
        put("routing.yaml", "rules", 0, "when", value="origin + 1 > 2"),
        "routing.yaml",
        "when",
        "on the example of permit",
    ),
    (put("routing.yaml", "rules", 0, "not_required", value=True), SCHEMA, "{", "rule A1 refuses the example"),
    # golden cases
    (golden("steps", 0, "as", value="ghost"), "golden/permit.yaml", "ghost", "unknown actor"),
    (golden("actors", "bank", "agency", value="NOBODY"), "golden/permit.yaml", "bank:", "unknown agency"),
    (golden("steps", 0, "submit", "type", value="pass"), "golden/permit.yaml", "submit", "unknown document type"),
    (golden("steps", 1, "decide", "step", value="mayor"), "golden/permit.yaml", "decide", "has no step mayor"),
    (golden("steps", 1, "decide", "outcome", value="praise"), "golden/permit.yaml", "decide", "has no outcome praise"),
    (
        golden("steps", 1, "decide", "document", value="other"),
        "golden/permit.yaml",
        "as: bank",
        "no earlier step saved other",
    ),
    (golden("steps", 1, "decide", "reason_code", value="MOOD"), "golden/permit.yaml", "decide", "unknown reason MOOD"),
    (golden("steps", 1, "expect", "state", value="HAPPY"), "golden/permit.yaml", "as: bank", "has no state HAPPY"),
    (golden("finally", 0, "document", value="other"), "golden/permit.yaml", "document: other", "no step saved other"),
    (golden("finally", 0, "charges", value=[{"tariff": "TIP"}]), "golden/permit.yaml", "charges", "no price TIP"),
    (
        golden("finally", 0, "notifications", value=[{"to": "trader", "rules": ["N9"]}]),
        "golden/permit.yaml",
        "notifications",
        "unknown notification rule N9",
    ),
    # the demonstration's seed
    (put("pack.yaml", "company_number", "scheme", value="fr.unicorn"), "pack.yaml", "scheme", "no scheme"),
    (
        put("demo/seed.yaml", "organisations", 0, "company_number", value="552008444"),
        "demo/seed.yaml",
        "552008444",
        "wrong check digits",
    ),
    (
        put("demo/seed.yaml", "organisations", 0, "company_number", value="000000000"),
        "demo/seed.yaml",
        "000000000",
        "not a real number",
    ),
    (
        put("demo/seed.yaml", "organisations", 1, "company_number", value="552008443"),
        "demo/seed.yaml",
        "552008443",
        "given twice",
    ),
    (
        put("demo/seed.yaml", "organisations", 1, "agency_code", value="NOBODY"),
        "demo/seed.yaml",
        "NOBODY",
        "unknown agency",
    ),
    (
        put("demo/seed.yaml", "organisations", 0, "language", value="es"),
        "demo/seed.yaml",
        "language: es",
        "not a language",
    ),
    (
        put("demo/seed.yaml", "users", value=[{"email": "a@b.example", "roles": ["king"]}]),
        "demo/seed.yaml",
        "king",
        "unknown role",
    ),
]


@pytest.mark.parametrize(("change", "file", "text", "message"), FAULTS, ids=[fault[3] for fault in FAULTS])
def test_a_fault_is_found_where_it_stands(
    pack_folder: PackFolder, change: Change, file: str, text: str, message: str
) -> None:
    pack_folder["lists/currencies.yaml"] = {"list": "currencies", "generate": "iso4217"}
    change(pack_folder)
    root = pack_folder.write()
    findings = lint(root)
    lines = (root / file).read_text("utf-8").splitlines()
    assert any(
        finding.file == file and message in finding.message and text in lines[finding.line - 1] for finding in findings
    ), [f"{finding} | {lines[finding.line - 1] if finding.file == file else ''}" for finding in findings]


def test_what_cannot_be_read_is_said_first_and_alone(pack_folder: PackFolder) -> None:
    pack_folder["golden/permit.yaml"] = "steps: [\n"
    pack_folder["agencies.yaml"][0]["labels"].pop("fr")
    assert [finding.file for finding in lint(pack_folder.write())] == ["golden/permit.yaml"]


def test_an_unquoted_hash_is_explained(pack_folder: PackFolder) -> None:
    root = pack_folder.write()
    text = (root / TYPE).read_text("utf-8").replace("hs_codes: body.goods", "hs_codes: map(body.goods, #)")
    (root / TYPE).write_text(text, encoding="utf-8")
    assert "begins a comment" in lint(root)[0].message


def test_refinements_of_a_schema_need_neither_labels_nor_bounds(pack_folder: PackFolder) -> None:
    pack_folder.schema["allOf"] = [
        {"if": {"properties": {"origin": {"const": "FR"}}}, "then": {"properties": {"amount": {"type": "integer"}}}}
    ]
    assert lint(pack_folder.write()) == []


def test_a_step_that_rules_may_skip_leaves_the_document_where_it_was(pack_folder: PackFolder) -> None:
    control = {
        **pack_folder.type["steps"][0],
        "key": "control",
        "enters": "",
        "agency": {"rules": "control"},
        "role": "agency_officer",
        "outcomes": {"pass": {"event": "control_passed", "then": "next"}},
    }
    pack_folder.type["steps"].insert(0, control)
    pack_folder.type["states"].insert(0, state("CONTROLLED"))
    pack_folder.type["transitions"] += [
        move("FILED", "control_passed", "CONTROLLED", "agency"),
        move("CONTROLLED", "send_to_bank", "WITH_BANK"),
    ]
    assert lint(pack_folder.write()) == []


def test_every_rule_has_a_name_that_says_what_it_checks() -> None:
    assert len({rule.__name__ for rule in RULES}) == len(RULES)
