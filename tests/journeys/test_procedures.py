"""What anybody is told about goods is what a document of those goods would meet."""

import copy
from typing import Any

import httpx
import packs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packs.questions import filled
from packs.reader import default_pack_path
from portolan_cli.client import Portolan
from portolan_cli.demo_file import Actor, Demo

from tests.journeys.bodies import new_key
from tests.journeys.conftest import System

QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
PACK = packs.read(default_pack_path())
GOODS = sorted({code.code for code in PACK.lists["hs"].codes if len(code.code) == 6})
COUNTRIES = sorted({code.code for code in PACK.lists["countries"].codes} - {PACK.country})
REGIMES = {
    "import": [code.code for code in PACK.lists["regimes"].codes if not code.code.startswith("06")],
    "export": [code.code for code in PACK.lists["regimes"].codes if code.code.startswith("06")],
}
NAMED = ["640399", "630900", "690721", "080510", "020714", "930200", "290345", "160413", "970121", "851713", "401693"]
QUESTIONS = st.fixed_dictionaries(
    {
        "hs_code": st.sampled_from(NAMED) | st.sampled_from(GOODS),
        "country": st.sampled_from(["CN", "FR", "BR", "HK", "US"]) | st.sampled_from(COUNTRIES),
        "direction": st.sampled_from(["import", "export"]),
    },
    optional={
        "value": st.builds(
            lambda amount, currency: {"amount_minor": amount, "currency": currency},
            st.integers(1, 10**11),
            st.sampled_from(["MAD", "EUR", "USD"]),
        ),
        "characteristics": st.lists(
            st.sampled_from(["USED", "CITES", "WASTE", "DANGEROUS_GOODS"]), max_size=2, unique=True
        ),
    },
)


@pytest.fixture(scope="module")
def known(portolan: Portolan, demo: Demo) -> Actor:
    """An exporter and importer the window knows: its first operation is behind it."""
    actor = demo.actor(kind="importer", role="declarant")
    for key in ("import_title.ei",):
        body = copy.deepcopy(portolan.get(f"/v1/document-types/{key}")["schema"]["examples"][0])
        portolan.post("/v1/documents", actor.credentials, {"type": key, "body": body}, key=new_key())
    return actor


def answered(system: System, question: dict[str, Any]) -> httpx.Response:
    return httpx.post(f"{system.base_url}/v1/procedures:simulate", json=question, headers={"accept-language": "en"})


@settings(max_examples=40, deadline=None, suppress_health_check=QUIET, derandomize=True)
@given(question=QUESTIONS, data=st.data())
def test_the_public_answer_is_the_document_s(
    question: dict[str, Any], data: st.DataObject, system: System, portolan: Portolan, known: Actor
) -> None:
    if data.draw(st.booleans()):
        question = {**question, "regime": data.draw(st.sampled_from(REGIMES[question["direction"]]))}
    answer = answered(system, question)
    assert answer.status_code == 200, answer.text
    told = {one["type"]: one for one in answer.json()["documents"]}
    assert set(told) == {kind.key for kind in PACK.document_types.values() if concerns(kind, question["direction"])}
    for key, public in told.items():
        body, _ = filled(PACK.document_types[key], question)
        simulated = portolan.post("/v1/documents:simulate", known.credentials, {"type": key, "body": body})
        refused = [one["code"] for one in simulated["errors"] if one["pointer"] == "/type"]
        assert [one["rule"] for one in public["refused_by"]] == refused
        assert public["admitted"] is (refused == [])
        assert pairs(public["routes"]) == pairs(simulated["routes"])


def concerns(kind: Any, direction: str) -> bool:
    return kind.question is not None and kind.direction in ("any", direction)


def pairs(routes: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(one["agency"], one["document"] or "", one["mode"], one["sla_seconds"], one["rule"]) for one in routes]


@pytest.mark.parametrize(
    ("hs_code", "needed", "refused"),
    [
        ("640399", {"import_title.ei"}, {}),
        ("630900", {"import_title.li"}, {"import_title.ei": "R11", "import_title.dpi": "R11"}),
        ("690721", {"import_title.dpi"}, {"import_title.ei": "R24", "import_title.li": "R24"}),
    ],
)
def test_which_title_goods_need(system: System, hs_code: str, needed: set[str], refused: dict[str, str]) -> None:
    documents = answered(system, {"hs_code": hs_code, "country": "ES", "direction": "import"}).json()["documents"]
    assert {one["type"] for one in documents if one["needed"]} == needed
    assert {one["type"]: one["refused_by"][0]["rule"] for one in documents if one["refused_by"]} == refused
    for one in documents:
        assert all(route["agency_label"] and route["rule_label"] for route in one["routes"])
        assert one["price"]["amount_minor"] > 0
        assert one["due_at"]
        assert one["channel_hint"] in {"green", "orange", "red"}


def test_an_economic_regime_needs_no_title(system: System) -> None:
    question = {"hs_code": "640399", "country": "CN", "direction": "import", "regime": "022"}
    documents = {one["type"]: one for one in answered(system, question).json()["documents"]}
    assert [one["rule"] for one in documents["import_title.ei"]["refused_by"]] == ["R25"]
    assert not any(one["needed"] for one in documents.values())


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"hs_code": "000000"}, "/hs_code"),
        ({"country": "QQ"}, "/country"),
        ({"regime": "999"}, "/regime"),
        ({"characteristics": ["NO_SUCH"]}, "/characteristics"),
        ({"value": {"amount_minor": -1, "currency": "MAD"}}, "/value"),
    ],
)
def test_what_no_document_could_say_is_refused_where_it_was_asked(
    system: System, wrong: dict[str, Any], pointer: str
) -> None:
    refused = answered(system, {"hs_code": "640399", "country": "CN", "direction": "import", **wrong})
    assert (refused.status_code, refused.json()["code"]) == (422, "INVALID_REQUEST")
    assert {one["pointer"] for one in refused.json()["errors"]} == {pointer}
