"""What holds for every test: it speaks to this machine only, and no example of it is timed.

Helpers are imported by their full name (`from tests.house import ...`): test files of different
rooms may share a base name, so pytest runs in its importlib mode.
"""

import ipaddress
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says something of the machine, and of who else works on it.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")

SHOWN = "shown"  # the property whose text is printed at the end, also from another process


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what tests measured: a distribution is wanted, whether they passed or not."""
    for report in (r for kind in ("passed", "failed") for r in terminalreporter.getreports(kind)):
        for name, text in report.user_properties:
            if name == SHOWN:
                terminalreporter.section(report.nodeid.rpartition("::")[2], sep="-")
                terminalreporter.write_line(str(text))


@pytest.fixture(autouse=True, scope="session")
def loopback_only() -> Iterator[None]:
    """Make any connection to another machine, or a look-up of its name, fail the test loudly."""
    connect, connect_ex, look_up = (
        socket.socket.connect,
        socket.socket.connect_ex,
        socket.getaddrinfo,
    )

    def guarded_connect(self: socket.socket, address: Any) -> None:
        _must_be_here(self.family, address)
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        _must_be_here(self.family, address)
        return connect_ex(self, address)

    def guarded_look_up(host: Any, *args: Any, **kwargs: Any) -> Any:
        _must_be_here(socket.AF_INET, (host, 0))
        return look_up(host, *args, **kwargs)

    patch = pytest.MonkeyPatch()
    patch.setattr(socket.socket, "connect", guarded_connect)
    patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
    patch.setattr(socket, "getaddrinfo", guarded_look_up)
    yield
    patch.undo()


def _must_be_here(family: int, address: Any) -> None:
    if family not in (socket.AF_INET, socket.AF_INET6):
        return
    host = address[0].decode() if isinstance(address[0], bytes) else address[0]
    assert host in (None, "", "localhost") or _is_loopback(host), f"a test reached out to {address}"


def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host.split("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
