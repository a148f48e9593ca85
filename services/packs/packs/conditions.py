"""Conditions on an approval: who may set them, what they take, what they hold back and what meets them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Literal, NamedTuple

import jsonschema_rs

from .codes import CodeList
from .formats import FORMATS
from .pointers import pointer
from .schemas import code_fields, unknown_codes
from .value import Labels, Value

NOTHING_TO_SAY: dict[str, Any] = {"type": "object", "additionalProperties": False}

Met = Literal["step", "attachment", "declaration"]


class SatisfiedBy(Value, frozen=True, kw_only=True):
    """Exactly one: a later step whose officer says so, a file the operator sends, or what each declaration says.

    `declaration` is an expression over `declaration` and `parameters`; it is judged for every imputation.
    """

    step: str | None = None
    attachment: bool = False
    declaration: str | None = None

    @property
    def kind(self) -> Met:
        if self.step is not None:
            return "step"
        return "attachment" if self.attachment else "declaration"


class Condition(Value, frozen=True, kw_only=True):
    """May be set by these `outcomes` of these `steps`. What it `blocks` waits until it is met."""

    key: str
    labels: Labels
    steps: tuple[str, ...]
    outcomes: tuple[str, ...]
    parameters: dict[str, Any] | None = None
    satisfied_by: SatisfiedBy
    blocks: Literal["imputation", "release"] | None = None

    @cached_property
    def schema(self) -> dict[str, Any]:
        return self.parameters or NOTHING_TO_SAY

    @cached_property
    def _validator(self) -> jsonschema_rs.Draft202012Validator:
        return jsonschema_rs.Draft202012Validator(self.schema, validate_formats=True, formats=FORMATS)

    def faults(self, parameters: Mapping[str, Any], lists: Mapping[str, CodeList]) -> Iterator[ParameterFault]:
        wrong = [_fault(error) for error in self._validator.iter_errors(parameters)]
        yield from wrong
        for unknown in () if wrong else unknown_codes(code_fields(self.schema), parameters, lists):
            yield ParameterFault(unknown.pointer, "UNKNOWN_CODE", f"not in the list {unknown.list}")


class ParameterFault(NamedTuple):
    pointer: str
    code: str
    message: str


def _fault(error: jsonschema_rs.ValidationError) -> ParameterFault:
    return ParameterFault(pointer(error.instance_path), "INVALID_PARAMETER", error.message)
