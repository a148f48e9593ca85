"""The language of refusal: what a service raises, and how each looks on the wire. One table, both ways."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, cast

import grpc
import grpc.aio
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status
from portolan.type.v1 import type_pb2

from kit import ids, telemetry

DOMAIN = "portolan"


@dataclass(frozen=True)
class Violation:
    """One thing wrong with what the caller sent; `pointer` is an RFC 6901 JSON pointer."""

    pointer: str
    code: str
    message: str


@dataclass
class PortolanError(Exception):
    """A refusal a caller can understand: `code` is part of the contract, `detail` is for people."""

    code: str
    detail: str = ""
    violations: Sequence[Violation] = field(default=(), kw_only=True)
    facts: Mapping[str, str] = field(default_factory=dict, kw_only=True)

    status: ClassVar[int] = 500
    rpc_code: ClassVar[grpc.StatusCode] = grpc.StatusCode.INTERNAL

    def __post_init__(self) -> None:
        super().__init__(self.code, self.detail)

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}" if self.detail else self.code


class Malformed(PortolanError):
    """The bytes are not what they claim to be."""

    status, rpc_code = 400, grpc.StatusCode.INVALID_ARGUMENT


class Invalid(PortolanError):
    """Well formed, and against a rule of its shape or meaning."""

    status, rpc_code = 422, grpc.StatusCode.INVALID_ARGUMENT


class Unauthenticated(PortolanError):
    status, rpc_code = 401, grpc.StatusCode.UNAUTHENTICATED


class Forbidden(PortolanError):
    status, rpc_code = 403, grpc.StatusCode.PERMISSION_DENIED


class NotFound(PortolanError):
    """Does not exist, or is not the caller's to know."""

    status, rpc_code = 404, grpc.StatusCode.NOT_FOUND


class Conflict(PortolanError):
    """Something else already stands there."""

    status, rpc_code = 409, grpc.StatusCode.ALREADY_EXISTS


class Refused(PortolanError):
    """A rule of the trade says no."""

    status, rpc_code = 409, grpc.StatusCode.FAILED_PRECONDITION


class PreconditionFailed(PortolanError):
    status, rpc_code = 412, grpc.StatusCode.ABORTED


class PreconditionRequired(PortolanError):
    status, rpc_code = 428, grpc.StatusCode.FAILED_PRECONDITION


class TooLarge(PortolanError):
    status, rpc_code = 413, grpc.StatusCode.OUT_OF_RANGE


class UnsupportedMediaType(PortolanError):
    status, rpc_code = 415, grpc.StatusCode.INVALID_ARGUMENT


class Busy(PortolanError):
    """The caller asks too often."""

    status, rpc_code = 429, grpc.StatusCode.RESOURCE_EXHAUSTED


class Unavailable(PortolanError):
    """Not now; the same call may succeed later."""

    status, rpc_code = 503, grpc.StatusCode.UNAVAILABLE


class Internal(PortolanError):
    """Our fault. The detail is an opaque id that the logs know."""


KINDS: Mapping[str, type[PortolanError]] = {
    kind.__name__: kind
    for kind in (
        *(Malformed, Invalid, Unauthenticated, Forbidden, NotFound, Conflict, Refused),
        *(PreconditionFailed, PreconditionRequired, TooLarge, UnsupportedMediaType, Busy, Unavailable, Internal),
    )
}

_BY_RPC_CODE: Mapping[grpc.StatusCode, tuple[type[PortolanError], str]] = {
    grpc.StatusCode.UNAVAILABLE: (Unavailable, "OVERLOADED"),
    grpc.StatusCode.DEADLINE_EXCEEDED: (Unavailable, "OVERLOADED"),
    grpc.StatusCode.RESOURCE_EXHAUSTED: (Unavailable, "OVERLOADED"),
    grpc.StatusCode.UNAUTHENTICATED: (Unauthenticated, "UNAUTHENTICATED"),
    grpc.StatusCode.PERMISSION_DENIED: (Forbidden, "FORBIDDEN"),
    grpc.StatusCode.NOT_FOUND: (NotFound, "NOT_FOUND"),
}


def fault(event: str, error: Exception, **where: str) -> Internal:
    """What a caller may know of our own fault: an id that the log explains."""
    fault_id = ids.new_id()
    telemetry.log().error(event, fault=fault_id, exc_info=error, **where)
    return Internal("INTERNAL", fault_id)


def http_status(error: PortolanError) -> int:
    return error.status


def to_problem(error: PortolanError) -> type_pb2.Problem:
    """The message form, for items of a batch. `facts["kind"]` names the class for the way back."""
    return type_pb2.Problem(
        code=error.code,
        detail=error.detail,
        violations=[type_pb2.Violation(pointer=v.pointer, code=v.code, message=v.message) for v in error.violations],
        facts={**error.facts, "kind": type(error).__name__},
    )


def from_problem(problem: type_pb2.Problem) -> PortolanError:
    facts = dict(problem.facts)
    kind = KINDS.get(facts.pop("kind", ""), Internal)
    violations = [Violation(v.pointer, v.code, v.message) for v in problem.violations]
    return kind(problem.code, problem.detail, violations=violations, facts=facts)


def to_status(error: PortolanError) -> Any:
    """A google.rpc.Status with ErrorInfo and BadRequest, as gRPC's rich error model has it."""
    facts = {**error.facts, "kind": type(error).__name__}
    details = [_packed(error_details_pb2.ErrorInfo(reason=error.code, domain=DOMAIN, metadata=facts))]
    if error.violations:
        wrong = [
            error_details_pb2.BadRequest.FieldViolation(field=v.pointer, reason=v.code, description=v.message)
            for v in error.violations
        ]
        details.append(_packed(error_details_pb2.BadRequest(field_violations=wrong)))
    code = code_pb2.Code.Value(error.rpc_code.name)
    return rpc_status.to_status(status_pb2.Status(code=code, message=error.detail or error.code, details=details))


def from_rpc(error: grpc.RpcError) -> PortolanError:
    """What the service at the other end raised, or what its silence means."""
    status = (
        rpc_status.from_call(cast(grpc.Call, error)) if isinstance(error, grpc.Call | grpc.aio.AioRpcError) else None
    )
    info, wrong = _details(status)
    if info is None:
        return _unexplained(error)
    facts = dict(info.metadata)
    kind = KINDS.get(facts.pop("kind", ""), Internal)
    violations = [Violation(v.field, v.reason, v.description) for v in wrong]
    return kind(info.reason, status.message if status else "", violations=violations, facts=facts)


def _unexplained(error: grpc.RpcError) -> PortolanError:
    code = error.code() if isinstance(error, grpc.Call | grpc.aio.AioRpcError) else grpc.StatusCode.UNKNOWN
    kind, reason = _BY_RPC_CODE.get(code, (Internal, "INTERNAL"))
    return kind(reason)


def _packed(message: Any) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed


def _details(status: Any) -> tuple[Any, Sequence[Any]]:
    info, wrong = None, error_details_pb2.BadRequest()
    for detail in status.details if status is not None else ():
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            info = error_details_pb2.ErrorInfo()
            detail.Unpack(info)
        elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
            detail.Unpack(wrong)
    return info, wrong.field_violations
