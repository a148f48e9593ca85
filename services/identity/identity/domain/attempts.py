"""How often an account may be tried with a wrong secret: a sliding window, bounded in memory."""

from collections import OrderedDict, deque

from kit.errors import Busy

FAILURES_MAX = 10
WINDOW_SECONDS = 300.0
ACCOUNTS_MAX = 10_000


class Attempts:
    """One per process: several processes multiply FAILURES_MAX, and a restart forgives. Redis may take its place."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def count(self, account: str, at: float) -> None:
        """Counts a failure, or an attempt that may become one. Raises Busy when the account had its share."""
        failures = self._failures.setdefault(account, deque(maxlen=FAILURES_MAX))
        self._failures.move_to_end(account)
        if len(self._failures) > ACCOUNTS_MAX:
            self._failures.popitem(last=False)
        if len(failures) == FAILURES_MAX and at - failures[0] < WINDOW_SECONDS:
            wait_seconds = int(failures[0] + WINDOW_SECONDS - at) + 1
            facts = {"retry_after_seconds": str(wait_seconds)}
            raise Busy("RATE_LIMITED", "too many failed attempts; try again later", facts=facts)
        failures.append(at)

    def forgive(self, account: str) -> None:
        self._failures.pop(account, None)
