"""Verifying keys and revocations, asked of identity."""

from collections.abc import Mapping, Sequence

import grpc.aio
from portolan.identity.v1 import identity_pb2, identity_pb2_grpc

from kit import clock, wire
from kit.auth import Revoked
from kit.grpc import call

DEADLINE_S = 2.0


class RemoteKeys:
    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = identity_pb2_grpc.IdentityServiceStub(channel)

    async def keys(self) -> Mapping[str, str]:
        answer = await call(self._stub.ListSigningKeys, identity_pb2.ListSigningKeysRequest(), deadline_s=DEADLINE_S)
        _agree(answer)
        return {key.key_id: key.jwk_json for key in answer.keys}

    async def revocations(self, after: int) -> Sequence[Revoked]:
        request = identity_pb2.ListRevocationsRequest(after_sequence=after)
        answer = await call(self._stub.ListRevocations, request, deadline_s=DEADLINE_S)
        _agree(answer)
        return [
            Revoked(one.sequence, one.subject, wire.moment(one.revoked_at).timestamp()) for one in answer.revocations
        ]


def _agree(answer: identity_pb2.ListSigningKeysResponse | identity_pb2.ListRevocationsResponse) -> None:
    """Yesterday's identity does not say when it answered."""
    if answer.HasField("now"):
        clock.agree_with_issuer(wire.moment(answer.now))
