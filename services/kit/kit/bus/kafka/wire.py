"""An event as a Kafka record: CloudEvents in binary mode, the payload as it is, attributes in headers."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from kit.events import Event

Headers = list[tuple[str, bytes]]

CONTENT_TYPE = b"application/protobuf"
SPEC_VERSION = b"1.0"
FOREIGN = uuid.UUID("6f0d2f6a-3c1e-5d0b-9c53-2f4f0c7a1d11")
FOREIGN_PAYLOAD_BYTES_MAX = 800_000
FOREIGN_KEY_CHARACTERS_MAX = 200
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def headers_of(event: Event) -> Headers:
    headers = [
        ("content-type", CONTENT_TYPE),
        ("ce_specversion", SPEC_VERSION),
        ("ce_id", event.id.encode()),
        ("ce_source", _source(event.topic)),
        ("ce_type", event.type.encode()),
        ("ce_time", event.time.isoformat().encode()),
        ("ce_subject", event.key.encode()),
    ]
    if event.traceparent:
        headers.append(("traceparent", event.traceparent.encode()))
    return headers


def _source(topic: str) -> bytes:
    """`portolan.intake.document.v1` comes from `/portolan/intake`."""
    return ("/" + "/".join(topic.split(".")[:2])).encode()


def event_of(record: Any) -> Event:
    """What the record says; when it does not speak our language, an event whose `fault` says why."""
    headers = dict(record.headers)
    try:
        return _read(record, headers)
    except KeyError as missing:
        return _foreign(record, f"no header {missing}")
    except ValueError as error:
        return _foreign(record, str(error))


def _read(record: Any, headers: Mapping[str, bytes]) -> Event:
    event_id = headers["ce_id"].decode()
    time = datetime.fromisoformat(headers["ce_time"].decode())
    key, kind = (record.key or b"").decode(), headers["ce_type"].decode()
    if headers["ce_specversion"] != SPEC_VERSION or headers.get("content-type", CONTENT_TYPE) != CONTENT_TYPE:
        raise ValueError("not a CloudEvent 1.0 with a protobuf payload")
    if not _ID.fullmatch(event_id) or time.tzinfo is None:
        raise ValueError("ce_id is no UUID, or ce_time has no offset")
    if record.value is None or "\x00" in key or "\x00" in kind or not kind:
        raise ValueError("no payload, or no text where text belongs")
    return Event(event_id, record.topic, key, kind, time, record.value, headers.get("traceparent", b"").decode())


def _foreign(record: Any, fault: str) -> Event:
    """Its id is made of its place, so that it is the same when it is read again."""
    place = f"{record.topic}/{record.partition}/{record.offset}@{record.timestamp}"
    key = (record.key or b"").decode(errors="replace").replace("\x00", "\ufffd")[:FOREIGN_KEY_CHARACTERS_MAX]
    time = datetime.fromtimestamp(max(record.timestamp, 0) / 1000, UTC)
    payload = (record.value or b"")[:FOREIGN_PAYLOAD_BYTES_MAX]
    return Event(
        str(uuid.uuid5(FOREIGN, place)), record.topic, key, "", time, payload, "", f"foreign record {place}: {fault}"
    )
