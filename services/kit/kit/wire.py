"""Times between Python, protobuf and text. Always UTC."""

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp


def timestamp(moment: datetime | None) -> Timestamp | None:
    if moment is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp


def moment(stamp: Timestamp) -> datetime:
    return stamp.ToDatetime(tzinfo=UTC)


def moment_or_none(stamp: Timestamp) -> datetime | None:
    """An unset timestamp is None."""
    return moment(stamp) if stamp.seconds or stamp.nanos else None


def rfc3339(moment: datetime) -> str:
    """With microseconds, so that text sorts as time does: 2026-01-31T08:30:00.000000Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def rfc3339_or_none(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)
