"""Who leads the brokers' quorum."""

from __future__ import annotations

from kafka import KafkaAdminClient


def leader(bootstrap: str) -> int:
    admin = KafkaAdminClient(bootstrap_servers=bootstrap.split(","))
    try:
        (topic,) = admin.describe_metadata_quorum()["topics"]
        return int(topic["partitions"][0]["leader_id"])
    finally:
        admin.close()
