"""The FastAPI application: every operation of the table as a route, every refusal as a problem, one edge around it."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from kit.errors import Malformed, NotFound, PortolanError
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp

from gateway import problems
from gateway.edge import Edge
from gateway.operation import endpoint
from gateway.refusals import MethodNotAllowed
from gateway.routes import OPERATIONS
from gateway.wiring import Wiring


class KeyConvertor(Convertor[str]):
    """An id or a name: no slash, no colon, nothing odd."""

    regex = "[A-Za-z0-9][A-Za-z0-9_.-]{0,127}"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


def create_app(wiring: Wiring) -> ASGIApp:
    register_url_convertor("key", KeyConvertor())
    app = FastAPI(title="Portolan", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    for operation in OPERATIONS:
        app.add_api_route(
            operation.template,
            endpoint(operation, wiring),
            methods=[operation.method],
            name=operation.id,
            response_model=None,
            include_in_schema=False,
        )
    app.add_exception_handler(HTTPException, _refuse_route)
    app.add_exception_handler(RequestValidationError, _refuse_route)
    return Edge(app, wiring)


async def _refuse_route(request: Request, error: Exception) -> Response:
    language = problems.language(request.headers.get("accept-language", ""))
    return problems.response(_refusal(request, error), language)


def _refusal(request: Request, error: Exception) -> PortolanError:
    if not isinstance(error, HTTPException):
        return Malformed("MALFORMED")
    allowed = sorted(_allowed(request))
    if error.status_code == 405 or allowed:
        return MethodNotAllowed("METHOD_NOT_ALLOWED", facts={"allow": ", ".join(allowed)})
    return NotFound("NOT_FOUND", "there is nothing at this address")


def _allowed(request: Request) -> set[str]:
    routes: list[BaseRoute] = request.app.routes
    matching = (route for route in routes if route.matches(request.scope)[0] is not Match.NONE)
    return {method for route in matching for method in getattr(route, "methods", ())}
