"""Logs as events with fields, and every metric the kit keeps, each with a sentence for the person on call."""

import logging
import sys

import structlog
from prometheus_client import Counter, Gauge, Histogram, start_http_server
from structlog.typing import EventDict, WrappedLogger

from kit import trace

CALL_SECONDS = Histogram(
    "portolan_call_seconds",
    "Time to answer a call. When the upper quantiles rise, look at the database first.",
    ["service", "method", "code"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
OUTBOX_OLDEST_SECONDS = Gauge(
    "portolan_outbox_oldest_seconds",
    "Age of the oldest fact not yet on the bus. Above a minute, the relay or the bus is down; nothing is lost.",
    ["service"],
)
REPLAY_ROWS_LEFT = Gauge(
    "portolan_outbox_replay_rows_left",
    "Rows of the outbox still to go through for a refill of the bus or a replay. A refill holds new facts back.",
    ["service"],
)
EVENTS_TOTAL = Counter(
    "portolan_events_total",
    "Events heard, by what became of them. A rise of `dead` means a release cannot read what another one says.",
    ["consumer", "outcome"],
)
CONSUMER_STOPPED = Gauge(
    "portolan_consumer_stopped",
    "1 while a consumer stands still after too many dead letters in a row. It stays so until they are re-driven, it is "
    "told to resume, or a new release comes: `python -m <service> dead list`.",
    ["consumer"],
)
CONSUMER_BEHIND_SECONDS = Gauge(
    "portolan_consumer_behind_seconds",
    "How old the last handled event was when it was handled. When it grows, effects arrive late.",
    ["consumer"],
)
REDIS_AWAY = Gauge(
    "portolan_redis_away",
    "1 while Redis does not answer this process. Limits are then each gateway's own and stricter, caches are cold, "
    "timelines a moment later; nothing is lost or wrong. Look at Redis.",
)


def start(service: str, metrics_port: int = 0) -> None:
    """Configures logging to stderr as JSON lines; serves /metrics when a port is given."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(message)s")
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _add_trace,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    if metrics_port:
        start_http_server(metrics_port, addr="127.0.0.1")


def log() -> structlog.typing.FilteringBoundLogger:
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return logger


def _add_trace(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    event.setdefault("trace_id", trace.trace_id())
    return event
