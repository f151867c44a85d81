"""A handful of counters for Prometheus, fed by the engine's step records.

Served on loopback, and only when a port is set. Must not know: what is done with the numbers.
"""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from bot.core.messages import PlaceOrder
from bot.shell.steps import StepRecord

STEP_SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0)


class Metrics:
    """One registry of its own; `observe` is an engine's observer."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._events = Counter("bot_events", "Events stepped", ["kind"], registry=self.registry)
        self._orders = Counter("bot_orders", "Orders sent", ["role"], registry=self.registry)
        self._steps = Histogram(
            "bot_step_seconds",
            "From an event's arrival to its commands",
            buckets=STEP_SECONDS,
            registry=self.registry,
        )
        self._trades = Gauge("bot_trades_working", "Trades not over", registry=self.registry)
        self._wallet = Gauge("bot_wallet_usdt", "Wallet balance", registry=self.registry)
        self._halts = Gauge("bot_halts", "Reasons for no entries", registry=self.registry)

    def observe(self, record: StepRecord) -> None:
        """Count one step."""
        self._events.labels(type(record.event).__name__).inc()
        self._steps.observe(record.kept_s - record.arrived_s)
        for command in record.commands:
            if isinstance(command, PlaceOrder):
                self._orders.labels(command.order.role.name.lower()).inc()
        self._trades.set(len(record.desk.working()))
        self._wallet.set(float(record.desk.wallet_usdt))
        self._halts.set(len(record.desk.halts))

    def serve(self, port: int) -> "Page":
        """Answer on http://127.0.0.1:`port`/metrics from a thread of its own."""
        server, thread = start_http_server(port, addr="127.0.0.1", registry=self.registry)
        return Page(server, thread)


class Page:
    """A metrics page being served."""

    def __init__(self, server: object, thread: object) -> None:
        self._server = server
        self._thread = thread

    @property
    def port(self) -> int:
        """The port it answers on."""
        address: tuple[str, int] = self._server.server_address  # type: ignore[attr-defined]
        return address[1]

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()  # type: ignore[attr-defined]
        self._server.server_close()  # type: ignore[attr-defined]
        self._thread.join()  # type: ignore[attr-defined]
