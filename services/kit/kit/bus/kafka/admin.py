"""Makes a cluster hold the declared topics: creates, widens and configures, as often as one likes."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError, TopicAlreadyExistsError

from kit.bus.topics import Topic
from kit.errors import Unavailable

REPLICAS_MAX = 3
IN_SYNC_AT_LEAST = 2
AS_THE_CLUSTER = -1
APPLY_LIMIT_S = 30.0
DAY_MS = 86_400_000


def apply(bootstrap: str, wanted: Sequence[Topic], limit_s: float = APPLY_LIMIT_S) -> list[str]:
    """Says what it changed. Partitions are never taken away, and replication stays as it was made."""
    try:
        with _admin(bootstrap, limit_s) as admin:
            missing = _missing(admin, wanted)
            _create(admin, missing, _copies(admin), limit_s)
            created = [f"created {topic.name}: {topic.partitions} partitions" for topic in missing]
            return [*created, *_widen(admin, wanted, limit_s), *_configure(admin, wanted)]
    except KafkaError as error:
        raise Unavailable("OVERLOADED", f"Kafka at {bootstrap} does not take the topics: {error!r}") from error


def create_missing(bootstrap: str, wanted: Sequence[Topic], limit_s: float) -> None:
    """Replicated as the cluster's own default says: while it comes up, few of its brokers may be seen."""
    if wanted:
        with _admin(bootstrap, limit_s) as admin:
            _create(admin, _missing(admin, wanted), {}, limit_s)


def _admin(bootstrap: str, limit_s: float) -> Any:
    limit_ms = int(limit_s * 1000)
    return KafkaAdminClient(
        bootstrap_servers=bootstrap.split(","),
        client_id="portolan-topics",
        bootstrap_timeout_ms=limit_ms,
        request_timeout_ms=limit_ms,
    )


def _missing(admin: Any, wanted: Sequence[Topic]) -> list[Topic]:
    there = set(admin.list_topics())
    return [topic for topic in wanted if topic.name not in there]


def _create(admin: Any, missing: Sequence[Topic], copies: Mapping[str, Any], limit_s: float) -> None:
    if not missing:
        return
    shapes = {topic.name: _shape(topic, **copies) for topic in missing}
    with contextlib.suppress(TopicAlreadyExistsError):  # another process makes the same ones
        admin.create_topics(shapes, timeout_ms=int(limit_s * 1000))
    admin.wait_for_topics(list(shapes), timeout_ms=int(limit_s * 1000))


def _copies(admin: Any) -> dict[str, int]:
    replicas = min(REPLICAS_MAX, len(admin.describe_cluster()["brokers"]))
    return {"replicas": replicas, "in_sync": IN_SYNC_AT_LEAST if replicas == REPLICAS_MAX else 1}


def _shape(topic: Topic, replicas: int = AS_THE_CLUSTER, in_sync: int = 0) -> dict[str, Any]:
    configs = {**_settings(topic), **({"min.insync.replicas": str(in_sync)} if in_sync else {})}
    return {"num_partitions": topic.partitions, "replication_factor": replicas, "configs": configs}


def _settings(topic: Topic) -> dict[str, str]:
    return {
        "cleanup.policy": "delete",
        "retention.ms": str(topic.retention_days * DAY_MS),
        "max.message.bytes": str(topic.message_bytes_max),
    }


def _widen(admin: Any, wanted: Sequence[Topic], limit_s: float) -> list[str]:
    found = {topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics([t.name for t in wanted])}
    narrow = {topic.name: topic.partitions for topic in wanted if found[topic.name] < topic.partitions}
    if narrow:
        admin.create_partitions(narrow, timeout_ms=int(limit_s * 1000))
    return [f"widened {name}: {found[name]} to {partitions} partitions" for name, partitions in narrow.items()]


def _configure(admin: Any, wanted: Sequence[Topic]) -> list[str]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, topic.name) for topic in wanted]
    found = admin.describe_configs(resources, config_filter="all")["topic"]
    others = {topic.name: changed for topic in wanted if (changed := _changed(found[topic.name], topic))}
    if others:
        wishes = [ConfigResource(ConfigResourceType.TOPIC, name, changed) for name, changed in others.items()]
        refused = {name: said for name, said in admin.alter_configs(wishes)["topic"].items() if said != "OK"}
        if refused:
            raise KafkaError(f"not configured: {refused}")
    return [f"configured {name}: {', '.join(sorted(changed))}" for name, changed in others.items()]


def _changed(found: Mapping[str, Any], topic: Topic) -> dict[str, str]:
    return {name: value for name, value in _settings(topic).items() if found[name]["value"] != value}
