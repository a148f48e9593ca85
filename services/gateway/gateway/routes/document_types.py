"""What can be submitted, what it costs, and the codes its fields take."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from kit import strict_json
from kit.errors import PortolanError
from portolan.billing.v1 import billing_pb2
from portolan.intake.v1 import intake_pb2
from starlette.responses import Response

from gateway.call import Call, answered
from gateway.operation import Operation
from gateway.shapes.billing import quoted
from gateway.shapes.common import Page
from gateway.shapes.documents import CodeFilter, CodePage, DataDictionary, DocumentType, Price

TYPE_DEPTH_MAX = 128


async def list_document_types(call: Call) -> Response:
    reply = await call.ask_openly(call.up.intake.ListDocumentTypes, intake_pb2.ListDocumentTypesRequest())
    types = await asyncio.gather(*(_with_price(call, raw) for raw in reply.document_type_jsons))
    return answered(Page(types, None))


async def get_document_type(call: Call, document_type: str) -> Response:
    request = intake_pb2.GetDocumentTypeRequest(type=document_type)
    reply = await call.ask_openly(call.up.intake.GetDocumentType, request)
    return answered(await _with_price(call, reply.document_type_json))


async def list_reference_codes(call: Call, list_name: str, query: CodeFilter) -> Response:
    request = intake_pb2.ListReferenceCodesRequest(list=list_name, query=query.q, cursor=query.cursor, limit=query.size)
    reply = await call.ask_openly(call.up.intake.ListReferenceCodes, request)
    items: Any = [msgspec.Raw(raw) for raw in reply.code_jsons]
    return answered(CodePage(list_name, reply.version, items, reply.next_cursor or None))


async def get_data_dictionary(call: Call) -> Response:
    reply = await call.ask_openly(call.up.intake.GetDataDictionary, intake_pb2.GetDataDictionaryRequest())
    return answered(msgspec.Raw(reply.dictionary_json))


async def _with_price(call: Call, raw: bytes) -> dict[str, Any]:
    shown: dict[str, Any] = strict_json.loads(raw, depth_max=TYPE_DEPTH_MAX)
    owner = call.principal_or_none.organisation_id if call.principal_or_none else ""
    return shown | {"price": await price_of(call, shown["type"], owner)}


async def price_of(call: Call, document_type: str, owner: str, price_version: str = "") -> Price | None:
    """Nothing when billing cannot say: a type can be read, and submitted, all the same."""
    request = billing_pb2.QuoteChargesRequest(
        document_type=document_type, owner_organisation_id=owner, price_version=price_version
    )
    try:
        reply = await call.ask_openly(call.up.billing.QuoteCharges, request)
    except PortolanError:
        return None
    charges = [quoted(charge, call.language) for charge in reply.charges]
    total = sum(charge.amount.amount_minor for charge in charges)
    return Price(total, charges[0].amount.currency, charges) if charges else None


OPERATIONS = (
    Operation(
        *("GET", "/v1/document-types", list_document_types, "The pack's document types"),
        answer=Page[DocumentType],
        tag="document types",
        is_personal=True,
    ),
    Operation(
        *(
            "GET",
            "/v1/document-types/{document_type}",
            get_document_type,
            "One type: schema, states, transitions, price",
        ),
        answer=DocumentType,
        tag="document types",
        is_personal=True,
    ),
    Operation(
        *(
            "GET",
            "/v1/reference/data-dictionary",
            get_data_dictionary,
            "Which element of the trade each field is",
        ),
        answer=DataDictionary,
        tag="document types",
    ),
    Operation(
        *("GET", "/v1/reference/{list_name}", list_reference_codes, "A code list of the pack"),
        answer=CodePage,
        tag="document types",
    ),
)
