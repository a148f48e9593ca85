"""What the gateway needs to know of its surroundings, and every limit an operator may move."""

from kit.settings import ServiceSettings


class GatewaySettings(ServiceSettings):
    http_host: str = "127.0.0.1"
    http_port: int = 8080
    # Where clients find us, for `openid-configuration`; the request's own host when empty.
    public_url: str = ""
    # Addresses whose X-Forwarded-For is believed; nobody's by default.
    trusted_proxies: str = ""

    request_budget_s: float = 2.5
    requests_in_flight_max: int = 4096
    drain_s: float = 0.5

    attachment_bytes_max: int = 20 * 1024 * 1024

    # Streams of server-sent events; clients come again by themselves when one ends.
    streams_max: int = 128
    streams_per_client_max: int = 8
    stream_life_s: float = 900.0

    coalesced_documents_max: int = 128
    coalesce_linger_ms: float = 3.0
    coalesced_messages_in_flight_max: int = 8
    submissions_waiting_max: int = 2048

    # How many gateways are thought to share the limits below while Redis is away: each then allows its part.
    rate_sharers: int = 2
    submissions_per_minute: int = 100_000
    reads_per_minute: int = 60_000
    writes_per_minute: int = 60_000
    open_reads_per_minute: int = 60_000
    sign_ins_per_minute: int = 6_000
    uploads_per_minute: int = 1_200
    # Each writes a letter to somebody.
    sign_ups_per_minute: int = 60
    sign_in_failures_per_minute: int = 30
