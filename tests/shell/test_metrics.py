"""The counters, and the page they are read from."""

import urllib.request

from bot.core.desk import Desk
from bot.core.messages import PanicPressed
from bot.core.trade import Role
from bot.shell.metrics import Metrics
from bot.shell.steps import StepRecord
from tests.shell.fakes import place


def test_steps_and_orders_are_counted_and_served() -> None:
    """One step with one stop shows on the loopback page."""
    metrics = Metrics()
    metrics.observe(
        StepRecord(
            number=1,
            seq=1,
            now_ms=0,
            event=PanicPressed(by="owner"),
            commands=(place(Role.STOP),),
            desk=Desk(account_id="main", user_id="owner", halts=("panic",)),
            changed=(),
            arrived_s=0.0,
            stepped_s=0.001,
            kept_s=0.002,
        )
    )
    page = metrics.serve(0)
    try:
        url = f"http://127.0.0.1:{page.port}/metrics"
        with urllib.request.urlopen(url, timeout=5) as answer:
            text = answer.read().decode()
    finally:
        page.close()
    assert 'bot_events_total{kind="PanicPressed"} 1.0' in text
    assert 'bot_orders_total{role="stop"} 1.0' in text
    assert "bot_halts 1.0" in text
