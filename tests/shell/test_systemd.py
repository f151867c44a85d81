"""Words to systemd, heard on a socket of the test's own."""

import socket
from pathlib import Path

from bot.shell.systemd import Systemd


def test_words_arrive_as_systemd_expects_them(tmp_path: Path) -> None:
    """READY, WATCHDOG and STOPPING, one datagram each."""
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(address)
        systemd = Systemd(address)
        systemd.ready("trading")
        systemd.alive()
        systemd.stopping()
        words = [heard.recv(1024) for _ in range(3)]
    assert words == [b"READY=1\nSTATUS=trading", b"WATCHDOG=1", b"STOPPING=1"]


def test_without_a_manager_every_word_is_silence() -> None:
    """No address, no effect; an address nobody listens at is no error."""
    Systemd(None).ready()
    Systemd("/nonexistent/notify").alive()
