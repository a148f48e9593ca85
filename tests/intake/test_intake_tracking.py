"""Documents that refer to documents: what may be referred to, the graph around them, and the box that finds them."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from intake.actions import reading, tracking
from intake.actions.acts import Act
from intake.actions.amending import AmendmentDesk
from intake.domain import graphs
from intake.domain.documents import Document
from intake.domain.graphs import Edge, Graph
from intake.domain.relations import is_of, search_key
from intake.store import searching
from kit import clock, ids
from kit.auth import Principal
from kit.errors import Invalid, Malformed, NotFound

from tests.intake.builders import (
    BROKER,
    IMPORTER,
    TITLE,
    Window,
    a_body,
    a_stranger,
    an_officer,
    customs,
    the_broker,
    the_importer,
    the_pack,
)

pytestmark = pytest.mark.service("intake")

CONTAINER = "CSQU3054383"
REFERRING = {"type": "string", "maxLength": 40, "x-reference": "import_title."}


@pytest.fixture
def referring(window: Window) -> Window:
    """The pack, with an engagement that may say which titles it follows."""
    pack = the_pack()
    kind = pack.document_types[TITLE]
    schema = copy.deepcopy(kind.schema)
    schema["properties"]["follows"] = {"type": "array", "maxItems": 5, "items": REFERRING}
    schema["properties"]["source"] = {**REFERRING, "x-reference": "*"}
    amendment = kind.amendment
    assert amendment is not None
    freer = msgspec.structs.replace(amendment, fields=(*amendment.fields, "/follows", "/source"))
    changed = msgspec.structs.replace(kind, schema=schema, amendment=freer)
    window.rulebooks.add([msgspec.structs.replace(pack, document_types={**pack.document_types, TITLE: changed})])
    return window


async def filed(window: Window, by: Principal | None = None, on_behalf_of: str = IMPORTER, **more: Any) -> Document:
    submission = window.submission({**a_body(), **more}, by=by, on_behalf_of=on_behalf_of)
    answer = await window.submit(submission)
    async with window.db.connection() as connection:
        return await reading.visible(connection, answer.document_id, customs())


async def graph(window: Window, by: Principal, document: Document, depth: int = 3) -> dict[str, Any]:
    answer = await tracking.graph(window.db, window.rulebooks, by, document.id, depth)
    return dict(json.loads(answer))


def drawn(shown: Mapping[str, Any]) -> tuple[set[str], set[tuple[str, str, str]]]:
    edges = {(edge["kind"], edge["from"], edge["to"]) for edge in shown["edges"]}
    return {node["id"] for node in shown["nodes"]}, edges


async def found(window: Window, by: Principal, query: str) -> dict[str, list[str]]:
    hits, _, _ = await tracking.search(window.db, window.rulebooks, by, query, "", 50)
    shown = [json.loads(hit) for hit in hits]
    return {hit["id"]: [match["kind"] for match in hit["matches"]] for hit in shown}


async def test_a_reference_is_by_id_or_by_reference_and_becomes_a_link(referring: Window) -> None:
    first, second = await filed(referring), await filed(referring)
    third = await filed(referring, follows=[first.reference.lower(), second.id.upper()], source=first.id)
    nodes, edges = drawn(await graph(referring, the_importer(), third))
    assert nodes == {first.id, second.id, third.id}
    assert edges == {
        ("follows", third.id, first.id),
        ("follows", third.id, second.id),
        ("source", third.id, first.id),
    }
    assert drawn(await graph(referring, the_importer(), first)) == (nodes, edges)
    assert drawn(await graph(referring, the_importer(), first, depth=1))[0] == {first.id, third.id}


async def test_what_the_owner_may_not_see_is_no_reference_and_nothing_is_stored(referring: Window) -> None:
    theirs = await filed(referring, by=a_stranger(), on_behalf_of="org-stranger")
    brokers = await filed(referring, by=the_broker(), on_behalf_of=BROKER)
    before = await referring.count("select count(*) from documents")
    named = [theirs.reference, brokers.id, "EI-2026-9999999-0", "no reference", ids.new_id()]
    with pytest.raises(Invalid) as refused:
        await filed(referring, follows=named)
    assert [(one.pointer, one.code) for one in refused.value.violations] == [
        (f"/body/follows/{place}", "UNKNOWN_REFERENCE") for place in range(5)
    ]
    assert await referring.count("select count(*) from documents") == before
    assert await referring.count("select count(*) from document_links") == 0
    request = json.dumps({"type": TITLE, "body": {**a_body(), "source": theirs.id}}).encode()
    simulated = await referring.desk.simulate(the_importer(), request)
    assert [(one.pointer, one.code) for one in simulated.errors] == [("/body/source", "UNKNOWN_REFERENCE")]


async def test_a_reference_of_another_type_is_unknown(window: Window) -> None:
    assert is_of("import_title.ei", "import_title.")
    assert is_of("import_title.ei", "import_title.ei")
    assert is_of("anything", "*")
    assert not is_of("import_titles", "import_title")
    assert not is_of("export_title", "import_title.")


async def test_an_amended_document_has_the_links_of_its_version_in_effect(referring: Window) -> None:
    first, second = await filed(referring), await filed(referring)
    title = await referring.title()
    desk = AmendmentDesk(referring.db, referring.rulebooks, referring.directory, referring.register)
    for source in (first, second):
        document = await referring.document(title)
        body = {**document["body"], "source": source.id}
        act = Act("amend", the_importer(), title, "*", "", json.dumps({"body": body}).encode())
        await desk.amend(act)
        async with referring.db.connection() as connection:
            stands = await reading.visible(connection, title, customs())
        assert drawn(await graph(referring, the_importer(), stands))[1] == {("source", title, source.id)}
    body = {**(await referring.document(title))["body"], "source": title}
    with pytest.raises(Invalid) as refused:
        await desk.amend(Act("amend", the_importer(), title, "*", "", json.dumps({"body": body}).encode()))
    assert [one.code for one in refused.value.violations] == ["UNKNOWN_REFERENCE"]


async def test_a_graph_shows_no_document_that_the_caller_may_not_see(referring: Window) -> None:
    title = await filed(referring)
    again = await filed(referring, by=the_importer(), source=title.id)
    assert drawn(await graph(referring, the_broker(), title)) == ({title.id}, set())
    assert drawn(await graph(referring, customs(), title))[0] == {title.id, again.id}
    for nobody in (a_stranger(), an_officer("HEALTH")):
        with pytest.raises(NotFound):
            await graph(referring, nobody, title)
    with pytest.raises(Malformed):
        await graph(referring, the_importer(), title, depth=graphs.DEPTH_MAX + 1)


def test_a_graph_stops_at_its_limits() -> None:
    def document(number: int) -> Document:
        text, now = f"d{number:04}", clock.now()
        return Document(text, text, TITLE, "1", "REGISTERED", 1, 1, IMPORTER, IMPORTER, "", now, now)

    grown = Graph({"d0000": document(0)})
    others = [document(number) for number in range(1, graphs.NODES_MAX + 10)]
    edges = [Edge("source", one.id, "d0000") for one in others]
    ring = grown.grow(edges, others)
    assert len(ring) == graphs.NODES_MAX - 1
    assert (len(grown.nodes), len(grown.edges), grown.left_off) == (graphs.NODES_MAX, graphs.NODES_MAX - 1, True)


async def test_one_box_finds_by_reference_container_consignment_and_ucr(window: Window) -> None:
    more: dict[str, Any] = {"containers": [CONTAINER], "transport_document": "MAEU 123/456", "ucr": "6MA000012345-77"}
    shipped, plain = await filed(window, **more), await filed(window)
    for query, kind in {
        "csqu 305438-3": "container",
        "CSQU": "container",
        "maeu123456": "consignment",
        "6ma0000": "ucr",
        shipped.reference.lower().replace("-", " "): "reference",
        shipped.reference[:-1]: "reference",
    }.items():
        assert await found(window, the_importer(), query) == {shipped.id: [kind]}, query
    assert set(await found(window, the_importer(), "EI-2026")) == {shipped.id, plain.id}
    assert await found(window, a_stranger(), CONTAINER) == {}
    assert await found(window, customs(), CONTAINER) == {shipped.id: ["container"]}
    for too_little in ("EI-", "", "%%%%", "-- --"):
        with pytest.raises(Malformed):
            await found(window, the_importer(), too_little)
    assert search_key("ei-2026 0000042_7") == "EI202600000427"


async def test_a_title_is_found_by_the_declarations_that_impute_it(window: Window) -> None:
    title = await window.title()
    await window.impute(title, number="309-010-2026-0004711")
    assert await found(window, the_importer(), "309010 2026") == {title: ["declaration"]}


async def test_what_refers_is_found_by_what_it_refers_to(referring: Window) -> None:
    first = await filed(referring)
    second = await filed(referring, source=first.reference)
    assert await found(referring, the_importer(), first.reference) == {first.id: ["reference"], second.id: ["source"]}


async def test_a_version_is_found_by_its_own_numbers(window: Window) -> None:
    title = await window.title()
    desk = AmendmentDesk(window.db, window.rulebooks, window.directory, window.register)
    for containers in ([CONTAINER], ["MSKU9070323"]):
        body = {**(await window.document(title))["body"], "containers": containers}
        await desk.amend(Act("amend", the_importer(), title, "*", "", json.dumps({"body": body}).encode()))
    assert await found(window, the_importer(), "MSKU9070323") == {title: ["container"]}
    assert await found(window, the_importer(), CONTAINER) == {}


async def test_a_container_number_has_its_check_digit(window: Window) -> None:
    with pytest.raises(Invalid) as refused:
        await filed(window, containers=[CONTAINER, "MSCU8492019"])
    assert [(one.pointer, one.code) for one in refused.value.violations] == [("/body/containers/1", "FORMAT")]


async def test_a_search_is_paged(window: Window) -> None:
    documents = [await filed(window) for _ in range(5)]
    seen, cursor = list[str](), ""
    while True:
        hits, cursor, left_off = await tracking.search(
            window.db, window.rulebooks, the_importer(), "EI2026", cursor, 2, seen.append
        )
        assert len(hits) <= 2
        assert not left_off
        if not cursor:
            break
    assert seen == [one.id for one in reversed(documents)]


async def test_a_search_that_fits_too_much_says_so(window: Window, monkeypatch: pytest.MonkeyPatch) -> None:
    documents = [await filed(window) for _ in range(3)]
    monkeypatch.setattr(searching, "CANDIDATES_MAX", 2)
    hits, _, left_off = await tracking.search(window.db, window.rulebooks, the_importer(), "EI2026", "", 50)
    assert (len(hits), left_off) == (2, True)
    whole = documents[-1].reference
    hits, _, left_off = await tracking.search(window.db, window.rulebooks, the_importer(), whole, "", 50)
    assert (len(hits), left_off) == (1, False)
