"""The contract, for programs and for people. Nothing on the page comes from anywhere else."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from starlette.responses import Response

from gateway.call import Call, passed_on
from gateway.operation import Operation

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)


async def get_openapi(call: Call) -> Response:
    return passed_on(call.wiring.contract.openapi, headers={"cache-control": "no-cache"})


async def get_docs(call: Call) -> Response:
    return _asset("docs.html", "text/html; charset=utf-8")


async def get_front_page(call: Call) -> Response:
    """Who opens the address alone finds what can be done here."""
    return await get_docs(call)


async def get_docs_script(call: Call) -> Response:
    return _asset("docs.js", "text/javascript; charset=utf-8")


async def get_docs_style(call: Call) -> Response:
    return _asset("docs.css", "text/css; charset=utf-8")


def _asset(name: str, media_type: str) -> Response:
    headers = {"content-security-policy": POLICY, "cache-control": "no-cache", "content-type": media_type}
    return Response(_bytes(name), headers=headers)


@cache
def _bytes(name: str) -> bytes:
    return files("gateway").joinpath("static", name).read_bytes()


OPERATIONS = (
    Operation("GET", "/openapi.json", get_openapi, "This contract, OpenAPI 3.1", answer=dict[str, Any], tag="docs"),
    Operation(*("GET", "/", get_front_page, "The docs, at the door"), answer_media_type="text/html", tag="docs"),
    Operation(*("GET", "/docs", get_docs, "This contract, for people"), answer_media_type="text/html", tag="docs"),
    Operation(
        *("GET", "/docs/docs.js", get_docs_script, "The page's script"), answer_media_type="text/javascript", tag="docs"
    ),
    Operation(*("GET", "/docs/docs.css", get_docs_style, "The page's style"), answer_media_type="text/css", tag="docs"),
)
