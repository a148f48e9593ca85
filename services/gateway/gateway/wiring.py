"""What a request is answered with: built once in main.py, handed to every route."""

from __future__ import annotations

from dataclasses import dataclass, field

from kit.auth import TokenVerifier
from kit.shared import Shared

from gateway.contract import Contract
from gateway.rates import Rates
from gateway.settings import GatewaySettings
from gateway.standing import Board
from gateway.streams import Streams
from gateway.submissions import Submissions
from gateway.upstreams import Upstreams


@dataclass
class Standing:
    """Whether this process takes requests; false while it starts and while it leaves."""

    is_serving: bool = False


@dataclass(frozen=True)
class Wiring:
    settings: GatewaySettings
    upstreams: Upstreams
    verifier: TokenVerifier
    rates: Rates
    submissions: Submissions
    contract: Contract
    streams: Streams
    shared: Shared
    board: Board
    standing: Standing = field(default_factory=Standing)
