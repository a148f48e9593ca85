"""How a company that nobody knows yet begins."""

from __future__ import annotations

from portolan.identity.v1 import identity_pb2
from starlette.responses import Response

from gateway import rates
from gateway.call import Call, answered
from gateway.operation import Operation
from gateway.shapes.people import CompanyNumberCheck, SignUp, SignUpReceived


async def sign_up(call: Call, body: SignUp) -> Response:
    request = identity_pb2.SignUpRequest(
        company_number=body.company_number,
        kind=body.kind,
        company_name=body.company_name,
        language=body.language,
        email=body.email,
        person_name=body.person_name,
    )
    await call.ask(call.up.identity.SignUp, request)
    return answered(SignUpReceived(), 202)


async def check_company_number(call: Call, company_number: str) -> Response:
    reply = await call.ask(
        call.up.identity.CheckCompanyNumber, identity_pb2.CheckCompanyNumberRequest(number=company_number)
    )
    return answered(CompanyNumberCheck(reply.valid, reply.number or None))


OPERATIONS = (
    Operation(
        *("POST", "/v1/sign-ups", sign_up, "A company asks to come in; its first person gets a letter"),
        answer=SignUpReceived,
        status=202,
        tag="sign-in",
        rate_class=rates.SIGN_UPS,
    ),
    Operation(
        *("GET", "/v1/company-numbers/{company_number}", check_company_number, "Whether a company number can exist"),
        answer=CompanyNumberCheck,
        tag="reference",
        rate_class=rates.OPEN_READS,
    ),
)
