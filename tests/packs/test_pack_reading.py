"""A pack folder becomes a Pack, or says which line keeps it from becoming one."""

import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from packs.errors import Finding, PackError
from packs.reader import PACK_PATH_VARIABLE, default_pack_path, read
from packs.serial import dumps, loads

from tests.packs.builders import PackFolder

LineOf = Callable[[str, str], int]


def findings_of(folder: PackFolder) -> list[Finding]:
    with pytest.raises(PackError) as refused:
        read(folder.write())
    return list(refused.value.findings)


def test_a_pack_is_read_whole(pack_folder: PackFolder) -> None:
    pack = read(pack_folder.write())
    assert (pack.name, pack.version, pack.languages) == ("arcadia", "2026.1", ("fr", "ar", "en"))
    assert pack.document_types["permit"].schema["required"] == ["origin", "goods"]
    assert pack.agencies["HEALTH"].kind == "agency"
    assert pack.reasons["PAPERS"].outcomes == ("reject",)
    assert pack.rules[0].hs == ("61-64",)


def test_an_unknown_field_is_refused_where_it_stands(pack_folder: PackFolder, line_of: LineOf) -> None:
    pack_folder.type["steps"][0]["sla_secondes"] = 12
    (finding,) = findings_of(pack_folder)
    assert finding.file == "document_types/permit/type.yaml"
    assert finding.line == line_of(finding.file, "sla_secondes")
    assert "sla_secondes" in finding.message


def test_a_wrong_value_is_refused_where_it_stands(pack_folder: PackFolder, line_of: LineOf) -> None:
    pack_folder.rule["direction"] = "sideways"
    (finding,) = findings_of(pack_folder)
    assert (finding.file, finding.line) == ("routing.yaml", line_of("routing.yaml", "sideways"))


def test_every_faulty_file_and_element_is_named_at_once(pack_folder: PackFolder) -> None:
    pack_folder["agencies.yaml"][0]["colour"] = "red"
    pack_folder["agencies.yaml"][1]["colour"] = "blue"
    del pack_folder["risk.yaml"]["thresholds"]["red"]
    assert [finding.file for finding in findings_of(pack_folder)] == ["agencies.yaml", "agencies.yaml", "risk.yaml"]


def test_a_missing_file_is_named(pack_folder: PackFolder) -> None:
    (pack_folder.write() / "calendar.yaml").unlink()
    with pytest.raises(PackError, match=r"calendar\.yaml:1: cannot be read"):
        read(pack_folder.root)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(PackError, match="no such pack folder"):
        read(tmp_path / "nowhere")


def test_broken_yaml_is_refused_with_its_line(pack_folder: PackFolder) -> None:
    pack_folder["agencies.yaml"] = "- code: A\n  labels: {fr: a\n- code: B\n"
    (finding,) = findings_of(pack_folder)
    assert finding.file == "agencies.yaml"
    assert finding.line == 3
    assert "not YAML" in finding.message


def test_broken_json_is_refused_with_its_line(pack_folder: PackFolder) -> None:
    pack_folder["document_types/permit/schema.json"] = '{\n  "type": "object",\n  "a": }\n'
    (finding,) = findings_of(pack_folder)
    assert (finding.file, finding.line) == ("document_types/permit/schema.json", 3)


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("rates.yaml", "- currency: USD\n  currency: EUR\n", 2),
        ("document_types/permit/schema.json", '{"type": "object",\n "title": "a",\n "title": "b"}', 3),
    ],
)
def test_a_key_given_twice_is_refused(pack_folder: PackFolder, name: str, text: str, line: int) -> None:
    pack_folder[name] = text
    (finding,) = findings_of(pack_folder)
    assert (finding.file, finding.line) == (name, line)
    assert "given twice" in finding.message


def test_two_agencies_cannot_share_a_code(pack_folder: PackFolder) -> None:
    pack_folder["agencies.yaml"][1]["code"] = "BANK-1"
    (finding,) = findings_of(pack_folder)
    assert "BANK-1 is given twice" in finding.message


def test_a_file_that_is_not_utf_8_is_refused(pack_folder: PackFolder) -> None:
    root = pack_folder.write()
    (root / "rates.yaml").write_bytes(b"# ok\n# \xff\n")
    with pytest.raises(PackError, match=r"rates\.yaml:2: is not UTF-8"):
        read(root)


def test_codes_that_yaml_1_1_would_spoil_stay_as_written(pack_folder: PackFolder) -> None:
    pack_folder["lists/ports.yaml"] = (
        "list: ports\ncodes:\n"
        "- {code: NO, labels: {fr: Oslo, ar: Oslo, en: Oslo}, opens: 08:30, office: 010, checked: false}\n"
    )
    (port,) = read(pack_folder.write()).lists["ports"].codes
    assert port.code == "NO"
    assert port.attributes == {"opens": "08:30", "office": "010", "checked": False}


def test_a_transition_may_leave_several_states(pack_folder: PackFolder) -> None:
    pack_folder.type["transitions"].append(
        {"from": ["FILED", "WITH_BANK"], "event": "withdraw", "actor": "declarant", "to": "REFUSED"}
    )
    permit = read(pack_folder.write()).document_types["permit"]
    for state in ("FILED", "WITH_BANK"):
        move = permit.transition(state, "withdraw")
        assert move is not None
        assert move.to == "REFUSED"
    assert permit.transition("GRANTED", "withdraw") is None


def test_a_release_may_lead_to_several_states(pack_folder: PackFolder) -> None:
    for end in ("FILED", "GRANTED"):
        pack_folder.type["transitions"].append(
            {"from": "WITH_BANK", "event": "release_imputation", "actor": "customs", "to": end}
        )
    permit = read(pack_folder.write()).document_types["permit"]
    move = permit.transition("WITH_BANK", "release_imputation", "GRANTED")
    assert move is not None
    assert move.to == "GRANTED"


def test_steps_follow_each_other(pack_folder: PackFolder) -> None:
    second = {**pack_folder.type["steps"][0], "key": "second"}
    pack_folder.type["steps"].append(second)
    permit = read(pack_folder.write()).document_types["permit"]
    following = permit.step_after("bank")
    assert following is not None
    assert following.key == "second"
    assert permit.step_after("second") is None


def test_prices_and_rates_are_those_of_the_day(pack_folder: PackFolder) -> None:
    pack_folder["rates.yaml"].append({"currency": "USD", "per_unit": "0.8", "effective_from": "2026-06-01"})
    pack = read(pack_folder.write())
    assert pack.tariff_on(date(2025, 12, 31)) is None
    version = pack.tariff_on(date(2026, 1, 1))
    assert version is not None
    assert version.vat_rate == Decimal("0.20")
    assert version.items[0].segments == {"occasional": Decimal("2.5")}
    assert pack.rate_on("USD", date(2026, 5, 31)) == Decimal("0.9")
    assert pack.rate_on("USD", date(2026, 6, 1)) == Decimal("0.8")
    assert pack.rate_on("EUR", date(2026, 6, 1)) == 1
    assert pack.rate_on("GBP", date(2026, 6, 1)) is None


def test_a_label_falls_back_to_the_pack_s_own_language(pack_folder: PackFolder) -> None:
    pack = read(pack_folder.write())
    assert pack.label({"fr": "un", "en": "one"}, "en") == "one"
    assert pack.label({"fr": "un", "en": "one"}, "ar") == "un"


def test_a_pack_survives_the_database(pack_folder: PackFolder) -> None:
    pack = read(pack_folder.write())
    content = dumps(pack)
    assert loads(content) == pack
    assert dumps(loads(content)) == content
    assert dumps(read(pack_folder.root)) == content


def test_generated_lists_are_kept_as_their_recipe(pack_folder: PackFolder) -> None:
    content = dumps(read(pack_folder.write()))
    assert json.loads(content)["lists"]["hs"]["codes"] == []
    assert "640399" in loads(content).lists["hs"].members


def test_the_environment_chooses_the_pack(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(PACK_PATH_VARIABLE, str(tmp_path))
    assert default_pack_path() == tmp_path
    monkeypatch.delenv(PACK_PATH_VARIABLE)
    assert (default_pack_path() / "pack.yaml").is_file()
