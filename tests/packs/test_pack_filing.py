"""Documents filed in stages: a pack that could not be followed is told where it goes wrong."""

from typing import Any

import pytest
from packs import read
from packs.lint import lint

from tests.packs.builders import PackFolder, move, state, words

TYPE = "document_types/permit/type.yaml"


def staged(folder: PackFolder) -> PackFolder:
    """The permit, drafted in one stage before its case begins, and admitting its owner."""
    kind = folder.type
    kind["filed_by"] = "applicant"
    kind["initial_state"] = "DRAFT"
    kind["states"].insert(0, state("DRAFT"))
    kind["transitions"].insert(0, move("DRAFT", "sent", "FILED"))
    kind["stages"] = [
        {
            **{"key": "all", "labels": words("All of it"), "in": "DRAFT", "fields": ["/origin"], "opens_case": True},
            "events": [{"event": "sent"}],
            "checks": [{"id": "c", "expression": "body.origin != ''", "pointer": "/origin", "messages": words("No")}],
        }
    ]
    kind["readiness"] = [
        {
            **{"id": "r", "weight": 10, "pointer": "/origin", "expression": "body.origin != ''"},
            **{"labels": words("Origin"), "missing": words("Say where from")},
        }
    ]
    kind["admission"] = {
        **{"states": ["GRANTED"], "name": "/origin", "kind": "/origin"},
        **{"company_number": "/origin", "billing_mode": "/origin"},
    }
    return folder


def test_a_type_filed_in_stages_is_without_faults_and_its_case_begins_at_a_stage(pack_folder: PackFolder) -> None:
    folder = staged(pack_folder).write()
    assert lint(folder) == []
    kind = read(folder).document_types["permit"]
    assert kind.is_filed_in_stages
    assert kind.case_begins_in == {"FILED"}
    assert kind.stage("all") is kind.stages[0]
    assert kind.stage("none") is None


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("filed_by",), "anybody", "must be one of"),
        (("stages", 0, "in"), "NOWHERE", "unknown state NOWHERE"),
        (("stages", 0, "events"), [{"event": "granted"}], "no transition granted from DRAFT"),
        (("stages", 0, "events"), [{"event": "sent", "when": "true"}], "the last event must need no condition"),
        (("stages", 0, "events"), [{"event": "sent", "when": "body."}, {"event": "sent"}], ""),
        (("stages", 0, "opens_case"), False, "one stage, and only one, opens the case"),
        (("stages", 0, "checks", 0, "expression"), "body.", ""),
        (("readiness", 0, "weight"), 0, "a weight is a positive number"),
        (("readiness", 0, "unique"), True, "either an expression, or unique"),
        (("readiness", 0, "missing"), {"fr": "x"}, "no label in"),
        (("admission", "states"), ["FILED"], "FILED is not a final state"),
        (("admission", "name"), "/nothing", "the body has no /nothing"),
    ],
)
def test_a_fault_is_named_where_it_stands(
    place: tuple[Any, ...], value: Any, message: str, pack_folder: PackFolder
) -> None:
    inner = staged(pack_folder).type
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    found = [str(finding) for finding in lint(pack_folder.write())]
    assert any(TYPE in one and message in one for one in found), found
