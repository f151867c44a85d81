"""Words to systemd: ready, alive, stopping (sd_notify's datagrams, man 3 sd_notify).

Must not know: the environment; the address is an argument. Without one every word is silence.
"""

import socket

import structlog

log = structlog.get_logger(__name__)


class Systemd:
    """Speaks to the service manager. A word that cannot be said is logged once, never raised."""

    def __init__(self, address: str | None) -> None:
        self._address = address
        self._failed = False

    def ready(self, status: str = "") -> None:
        """The service is up."""
        self._say("READY=1", f"STATUS={status}" if status else "")

    def alive(self) -> None:
        """The loop still turns; to be said more often than the unit's WatchdogSec."""
        self._say("WATCHDOG=1")

    def stopping(self) -> None:
        """The service is on its way down."""
        self._say("STOPPING=1")

    def _say(self, *words: str) -> None:
        if self._address is None:
            return
        # A leading @ means the abstract namespace, whose names begin with a zero byte.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        message = "\n".join(word for word in words if word).encode()
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.connect(address)
                sock.sendall(message)
        except OSError as error:
            if not self._failed:
                self._failed = True
                log.warning("systemd_not_reached", reason=str(error))
