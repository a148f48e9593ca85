"""What stands behind, for programs and for people."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from html import escape
from importlib.metadata import version
from importlib.resources import files
from string import Template
from typing import Any, Literal, cast

import yaml
from kit import clock, wire
from starlette.responses import Response

from gateway import standing
from gateway.call import Call, answered
from gateway.operation import HTML, JSON, Operation
from gateway.routes.docs import POLICY
from gateway.shapes.access import Dependency, State, Status
from gateway.shapes.common import label

VERSION = version("portolan-gateway")
RIGHT_TO_LEFT = frozenset({"ar"})
VARY = "Accept, Accept-Language, Authorization"

Texts = Mapping[str, Mapping[str, Mapping[str, str]]]


async def get_status(call: Call) -> Response:
    shown = await _status(call)
    if not _prefers_page(call.header("accept")):
        return answered(shown, headers={"vary": VARY})
    headers = {"vary": VARY, "content-security-policy": POLICY}
    return Response(_page(shown, call.language), headers=headers, media_type=HTML)


async def _status(call: Call) -> Status:
    wiring, language = call.wiring, call.language
    found = await wiring.board.look()
    is_serving = wiring.standing.is_serving and wiring.contract.is_known
    whole = standing.whole(found, is_serving=is_serving)
    return Status(
        status=cast("State", whole.state),
        code=whole.code,
        message=_sentence(whole.code, language),
        since=wire.rfc3339(whole.since),
        accepts_submissions=whole.accepts_submissions,
        at=wire.rfc3339(clock.now()),
        version=VERSION,
        pack_version=wiring.contract.pack_version,
        upstreams={one.service: _up(one) for one in found if not one.component},
        dependencies=[_shown(one, language) for one in found],
    )


def _up(dependency: standing.Dependency) -> Literal["up", "down"]:
    return "down" if dependency.state == standing.DOWN else "up"


def _shown(one: standing.Dependency, language: str) -> Dependency:
    return Dependency(
        name=one.name,
        label=_name(one, language),
        state=cast("State", one.state),
        code=one.code,
        message=_sentence(one.code, language) or label(texts()["states"][one.state], language),
        since=wire.rfc3339(one.since),
        age_seconds=one.age_s,
    )


def _name(one: standing.Dependency, language: str) -> str:
    named = (("services", one.service), ("components", one.component))
    return ": ".join(label(texts()[kind].get(name, {}), language) or name for kind, name in named if name)


def _sentence(code: str, language: str) -> str:
    return label(texts()["codes"].get(code, {}), language)


@cache
def texts() -> Texts:
    found: Texts = yaml.safe_load(files("gateway").joinpath("status.yaml").read_text(encoding="utf-8"))
    return found


def _prefers_page(accept: str) -> bool:
    """A browser names HTML first; whoever does not care, or names JSON, gets JSON."""
    weights = dict(map(_weighed, accept.lower().split(",")))
    return weights.get(HTML, 0.0) > weights.get(JSON, 0.0)


def _weighed(choice: str) -> tuple[str, float]:
    name, *parameters = (part.strip() for part in choice.split(";"))
    weight = next((part[2:] for part in parameters if part.startswith("q=")), "1")
    try:
        return name, float(weight)
    except ValueError:
        return name, 0.0


def _page(shown: Status, language: str) -> bytes:
    page = {name: label(labels, language) for name, labels in texts()["page"].items()}
    values: dict[str, Any] = {
        "language": language,
        "direction": "rtl" if language in RIGHT_TO_LEFT else "ltr",
        **{"title": page["title"], "what": page["what"], "state_head": page["state"], "since_label": page["since"]},
        **{"message_head": page["message"], "state": shown.status, "message": shown.message, "since": shown.since},
        **{"state_label": _state(shown.status, language), "since_shown": _minute(shown.since)},
    }
    rows = "\n".join(_row(one, language, page["seconds"]) for one in shown.dependencies)
    safe = {name: escape(str(value)) for name, value in values.items()}
    return _template().substitute(safe, rows=rows).encode()


def _row(one: Dependency, language: str, seconds: str) -> str:
    age = f" ({one.age_seconds:g} {seconds})" if one.age_seconds is not None and one.state != standing.OK else ""
    cells = (one.label, _state(one.state, language), _minute(one.since), one.message + age)
    first, state, *rest = (escape(cell) for cell in cells)
    others = "".join(f"<td>{cell}</td>" for cell in rest)
    return f'<tr><th scope="row">{first}</th><td class="state {one.state}">{state}</td>{others}</tr>'


def _state(state: str, language: str) -> str:
    return label(texts()["states"][state], language)


def _minute(moment: str) -> str:
    return moment[:19].replace("T", " ") + " UTC"


@cache
def _template() -> Template:
    return Template(files("gateway").joinpath("static", "status.html").read_text(encoding="utf-8"))


OPERATIONS = (
    Operation(
        *("GET", "/status", get_status, "What stands and what does not; a page for browsers"),
        answer=Status,
        also_answer_media_types=(HTML,),
        tag="health",
    ),
)
