"""Every number the gateway keeps, each with a sentence for the person on call."""

from prometheus_client import Counter, Gauge, Histogram

REQUEST_SECONDS = Histogram(
    "portolan_gateway_request_seconds",
    "Time to answer a request, by route template. Compare with portolan_call_seconds of the service behind it.",
    ["method", "route", "status"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
REQUESTS_IN_FLIGHT = Gauge(
    "portolan_gateway_requests_in_flight", "Requests being answered. At its limit the gateway answers 503 OVERLOADED."
)
SUBMISSIONS_WAITING = Gauge(
    "portolan_gateway_submissions_waiting",
    "Submissions not yet answered by intake. When it stays near its limit, intake or its database is too slow.",
)
COALESCED_DOCUMENTS = Histogram(
    "portolan_gateway_coalesced_documents",
    "Submissions that travelled in one message. Always 1 under load means that coalescing is broken.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128),
)
READINGS_UNTOLD_TOTAL = Counter(
    "portolan_gateway_readings_untold_total",
    "Documents that officers saw in their queue and the access log does not know of: intake was away, or too slow.",
)
STREAM_FAILURES_TOTAL = Counter(
    "portolan_gateway_stream_failures_total",
    "Times the stream to intake broke. A steady rise: intake keeps restarting.",
)
