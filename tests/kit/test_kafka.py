"""What Kafka's adapter does beside the port: CloudEvents on the wire, foreign records, topics made as declared."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType
from kit import trace
from kit.bus.kafka import KafkaPublisher, KafkaSubscription, wire
from kit.bus.kafka.admin import apply
from kit.consumer import Consumer
from kit.database import Database, Tx
from kit.errors import Unavailable
from kit.events import Decoder, Event, Undecodable

from tests.kit.buses import a_name, a_topic, an_event

TRIES_MAX = 40


@dataclass
class Record:
    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    partition: int = 3
    offset: int = 7
    timestamp: int = 1_767_225_600_000


def a_record(event: Event) -> Record:
    return Record(event.topic, event.key.encode(), event.payload, wire.headers_of(event))


def without(record: Record, name: str) -> Record:
    return replace(record, headers=[header for header in record.headers if header[0] != name])


def having(record: Record, name: str, value: bytes) -> Record:
    return replace(record, headers=[*without(record, name).headers, (name, value)])


GOOD = a_record(an_event("portolan.intake.document.v1", "dossier"))


def test_attributes_are_cloudevents_headers_in_binary_mode() -> None:
    event = replace(an_event("portolan.intake.document.v1", "dossier"), traceparent=trace.begin())
    headers = dict(wire.headers_of(event))
    assert headers == {
        "content-type": b"application/protobuf",
        "ce_specversion": b"1.0",
        "ce_id": event.id.encode(),
        "ce_source": b"/portolan/intake",
        "ce_type": b"tests.Thing",
        "ce_time": event.time.isoformat().encode(),
        "ce_subject": b"dossier",
        "traceparent": event.traceparent.encode(),
    }
    assert wire.event_of(a_record(event)) == event


@pytest.mark.parametrize(
    ("record", "fault"),
    [
        (without(GOOD, "ce_id"), "no header 'ce_id'"),
        (without(GOOD, "ce_type"), "no header 'ce_type'"),
        (having(GOOD, "ce_id", b"17"), "no UUID"),
        (having(GOOD, "ce_time", b"yesterday"), "yesterday"),
        (having(GOOD, "ce_time", b"2026-01-01T00:00:00"), "no offset"),
        (having(GOOD, "ce_type", b""), "no text"),
        (having(GOOD, "ce_type", b"\xff"), "codec"),
        (having(GOOD, "content-type", b"application/json"), "protobuf"),
        (having(GOOD, "ce_specversion", b"0.3"), "CloudEvent 1.0"),
        (replace(GOOD, value=None), "no payload"),
        (replace(GOOD, key=b"a\x00b"), "no text"),
        (replace(GOOD, key=b"\xff\xfe"), "codec"),
        (replace(GOOD, headers=[]), "no header"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_foreign_record_is_an_event_that_says_what_is_wrong(record: Record, fault: str) -> None:
    event = wire.event_of(record)
    assert fault in event.fault
    assert f"{record.topic}/3/7@" in event.fault
    assert wire.event_of(record) == event
    assert str(uuid.UUID(event.id)) == event.id
    assert "\x00" not in event.key
    assert Decoder([]).hears(event)
    with pytest.raises(Undecodable, match="foreign record"):
        Decoder([Timestamp]).decode(event)


def test_foreign_records_of_other_places_are_other_events_and_no_longer_than_a_dead_letter_may_be() -> None:
    foreign = replace(GOOD, headers=[], key=None, value=b"x" * 2_000_000)
    assert wire.event_of(foreign).id != wire.event_of(replace(foreign, offset=8)).id
    assert wire.event_of(foreign).id != wire.event_of(replace(foreign, timestamp=0)).id
    assert len(wire.event_of(foreign).payload) == wire.FOREIGN_PAYLOAD_BYTES_MAX


@pytest.fixture
def bootstrap(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue("real_servers").kafka.bootstrap
    return found


async def test_a_foreign_record_becomes_a_dead_letter_and_what_follows_has_its_effect(
    kit_database: Database, bootstrap: str
) -> None:
    topic, seen = a_name("thing"), []
    apply(bootstrap, [a_topic(topic)])
    producer = KafkaProducer(bootstrap_servers=bootstrap)
    producer.send(topic, value=b"{}", key=b"k", headers=[("content-type", b"application/json")]).get(10)
    producer.close(timeout=5)
    publisher = KafkaPublisher(bootstrap, [a_topic(topic)])
    await publisher.publish([replace(an_event(topic), type="google.protobuf.Timestamp", payload=b"")])

    async def hear(_: Tx, event: Event, __: Any) -> None:
        seen.append(event.id)

    reader = KafkaSubscription(bootstrap, a_name("group"), [topic])
    consumer = Consumer(kit_database, reader, "tests", {Timestamp: hear})
    handled = 0
    for _ in range(TRIES_MAX):
        handled += await consumer.step(0.5)
        if handled >= 2:
            break
    assert (handled, len(seen)) == (2, 1)
    async with kit_database.connection() as connection:
        rows = await (await connection.execute("select topic, payload, reason from dead_letters")).fetchall()
    assert [(row[0], bytes(row[1])) for row in rows] == [(topic, b"{}")]
    assert "foreign record" in rows[0][2]
    await reader.close()
    await publisher.close()


async def test_topics_are_made_as_declared_once_and_widened_never_narrowed(bootstrap: str) -> None:
    topic = a_topic(a_name("thing"), partitions=2)
    assert apply(bootstrap, [topic]) == [f"created {topic.name}: 2 partitions"]
    assert apply(bootstrap, [topic]) == []
    wider = replace(topic, partitions=5, retention_days=2)
    assert apply(bootstrap, [wider]) == [
        f"widened {topic.name}: 2 to 5 partitions",
        f"configured {topic.name}: retention.ms",
    ]
    assert apply(bootstrap, [topic]) == [f"configured {topic.name}: retention.ms"]
    with KafkaAdminClient(bootstrap_servers=bootstrap) as admin:
        assert len(admin.describe_topics([topic.name])[0]["partitions"]) == 5
        resource = ConfigResource(ConfigResourceType.TOPIC, topic.name)
        settings = admin.describe_configs([resource], config_filter="all")["topic"][topic.name]
    assert settings["retention.ms"]["value"] == str(24 * 3600 * 1000)
    assert settings["cleanup.policy"]["value"] == "delete"
    assert settings["min.insync.replicas"]["value"] == "1"


def test_a_cluster_that_is_not_there_is_said_in_one_sentence() -> None:
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1"):
        apply("127.0.0.1:1", [a_topic("tests.nothing.v1")], limit_s=0.5)


async def test_an_event_of_no_topic_is_refused_and_the_others_go_on(bootstrap: str) -> None:
    topic = a_topic(a_name("thing"))
    publisher = KafkaPublisher(bootstrap, [topic])
    with pytest.raises(Unavailable):
        await publisher.publish([an_event("tests.undeclared.v1")])
    await publisher.publish([an_event(topic.name)])
    await publisher.close()
    with pytest.raises(Unavailable, match="closed"):
        await publisher.publish([an_event(topic.name)])


async def test_what_others_read_is_what_was_meant(bootstrap: str) -> None:
    """A client that is not ours finds key, payload and CloudEvents attributes where the standard says."""
    topic = a_topic(a_name("thing"))
    publisher = KafkaPublisher(bootstrap, [topic])
    event = an_event(topic.name, "schlüssel", b"\x01\x02")
    await publisher.publish([event])
    await publisher.close()
    consumer = KafkaConsumer(
        topic.name, bootstrap_servers=bootstrap, auto_offset_reset="earliest", consumer_timeout_ms=10_000
    )
    record = next(consumer)
    consumer.close(timeout_ms=1000)
    assert (record.key, record.value) == ("schlüssel".encode(), b"\x01\x02")
    assert dict(record.headers)["ce_id"] == event.id.encode()
    assert datetime.fromisoformat(dict(record.headers)["ce_time"].decode()).astimezone(UTC) == event.time
