"""The guard in front of every method: deadline, caller, role, and an error table that leaks nothing."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, cast

import grpc
import grpc.aio
import pytest
from kit import auth, errors
from kit.auth import TokenVerifier
from kit.errors import Forbidden, Internal, Invalid, Malformed, PortolanError, Refused, Unauthenticated, Violation
from kit.grpc import (
    _SERVER_OPTIONS,
    ANYONE,
    KEEPALIVE_MS,
    SIGNED_IN,
    Authority,
    Server,
    _until,
    call,
    channel,
    is_serving,
)
from kit.testing import TokenMint, a_principal
from portolan.notifications.v1 import notifications_pb2, notifications_pb2_grpc

SERVICE = notifications_pb2.DESCRIPTOR.services_by_name["NotificationsService"]
AUTHORITY: Authority = {
    **{method.name: SIGNED_IN for method in SERVICE.methods},
    "MarkNotificationRead": frozenset({"declarant"}),
}


class Notifications(notifications_pb2_grpc.NotificationsServiceServicer):
    raises: Exception | None = None

    async def ListNotifications(self, request: Any, context: Any) -> notifications_pb2.ListNotificationsResponse:
        if self.raises is not None:
            raise self.raises
        return notifications_pb2.ListNotificationsResponse(next_cursor=auth.caller().subject)

    async def MarkNotificationRead(self, request: Any, context: Any) -> notifications_pb2.MarkNotificationReadResponse:
        return notifications_pb2.MarkNotificationReadResponse()


@pytest.fixture
async def served(mint: TokenMint) -> AsyncIterator[tuple[Notifications, Any, grpc.aio.Channel]]:
    server = Server("tests", TokenVerifier(mint), "127.0.0.1", 0)
    servicer = cast(Any, Notifications)()  # the methods it leaves out are not called here
    server.add(
        SERVICE, AUTHORITY, lambda to: notifications_pb2_grpc.add_NotificationsServiceServicer_to_server(servicer, to)
    )
    stop = asyncio.Event()
    running = asyncio.create_task(server.run(stop))
    wire = channel(f"127.0.0.1:{server.port}")
    yield servicer, notifications_pb2_grpc.NotificationsServiceStub(wire), wire
    await wire.close()
    stop.set()
    await running


LIST = notifications_pb2.ListNotificationsRequest()
MARK = notifications_pb2.MarkNotificationReadRequest()


async def test_the_caller_reaches_the_handler(served: Any, mint: TokenMint) -> None:
    _, stub, wire = served
    assert await is_serving(wire)
    answer = await call(stub.ListNotifications, LIST, token=mint.token(a_principal("declarant", person="p7")))
    assert answer.next_cursor == "p7"


async def test_nobody_and_the_wrong_somebody_are_refused(served: Any, mint: TokenMint) -> None:
    _, stub, _ = served
    with pytest.raises(Unauthenticated):
        await call(stub.ListNotifications, LIST)
    with pytest.raises(Forbidden):
        await call(stub.MarkNotificationRead, MARK, token=mint.token(a_principal("bank_officer")))
    await call(stub.MarkNotificationRead, MARK, token=mint.token(a_principal("declarant")))


async def test_a_call_without_a_deadline_is_refused(served: Any, mint: TokenMint) -> None:
    _, stub, _ = served
    metadata = [("authorization", "Bearer " + mint.token(a_principal("declarant")))]
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await stub.ListNotifications(LIST, metadata=metadata)
    assert isinstance(errors.from_rpc(raised.value), Malformed)


@pytest.mark.parametrize(
    "error",
    [
        Refused("QUANTITY_EXCEEDED", "too much", facts={"remaining": "3.5"}),
        Invalid("INVALID_DOCUMENT", violations=[Violation("/lines/0", "required", "manque")]),
    ],
)
async def test_a_refusal_arrives_as_it_was_raised(served: Any, mint: TokenMint, error: PortolanError) -> None:
    servicer, stub, _ = served
    servicer.raises = error
    with pytest.raises(type(error)) as raised:
        await call(stub.ListNotifications, LIST, token=mint.token(a_principal("declarant")))
    assert raised.value.code == error.code
    assert dict(raised.value.facts) == dict(error.facts)
    assert list(raised.value.violations) == list(error.violations)
    assert errors.from_problem(errors.to_problem(error)).code == error.code


async def test_our_own_fault_tells_the_caller_nothing(served: Any, mint: TokenMint) -> None:
    servicer, stub, _ = served
    servicer.raises = ValueError("secret db password")
    with pytest.raises(Internal) as raised:
        await call(stub.ListNotifications, LIST, token=mint.token(a_principal("declarant")))
    assert "secret" not in str(raised.value)


async def test_a_method_without_a_verdict_cannot_be_served(mint: TokenMint) -> None:
    server = Server("tests", TokenVerifier(mint), "127.0.0.1", 0)
    with pytest.raises(ValueError, match="MarkNotificationRead"):
        server.add(SERVICE, {"ListNotifications": ANYONE}, lambda _: None)


async def test_a_stream_whose_caller_leaves_is_closed_and_leaves_no_task_behind() -> None:
    """Closing the handler's generator while it still ran was a fault of its own, logged for every caller who left."""
    is_closed = False

    async def answers() -> AsyncGenerator[int, None]:
        nonlocal is_closed
        try:
            yield 1
            await asyncio.sleep(60)
        finally:
            is_closed = True

    async def listen() -> None:
        async for _ in _until(asyncio.Event(), answers()):
            pass

    before = asyncio.all_tasks()
    listening = asyncio.create_task(listen())
    await asyncio.sleep(0.02)
    listening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await listening
    assert is_closed
    assert asyncio.all_tasks() <= before


def test_an_idle_connection_may_be_kept_alive_as_often_as_our_channels_do_it() -> None:
    """Under a name gRPC does not know, the server allows a ping in five minutes and cuts our channels off."""
    allowed = dict(_SERVER_OPTIONS)["grpc.http2.min_ping_interval_without_data_ms"]
    assert allowed < KEEPALIVE_MS
