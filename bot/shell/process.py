"""What this process costs, as the kernel counts it.

Must not know: who asks.
"""

import resource
from pathlib import Path
from typing import Final

STATUS: Final = "/proc/{}/status"
PEAK: Final = "VmHWM:"  # in kB
RESIDENT: Final = "VmRSS:"


def rss_mb_peak() -> float:
    """The most memory this process has had resident, in MiB.

    From /proc where there is one: the figure of getrusage is handed on by the process that started
    this one, so a small program started by a large one would look large.
    """
    return _told(PEAK)


def rss_mb(pid: int | None = None) -> float:
    """The memory a process (this one) has resident now, in MiB; most it ever had without /proc."""
    return _told(RESIDENT, pid)


def cpu_s() -> float:
    """CPU seconds of this process so far, in user and kernel mode."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _told(name: str, pid: int | None = None) -> float:
    status = Path(STATUS.format("self" if pid is None else pid))
    if status.exists():
        for line in status.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith(name):
                return round(int(line.split()[1]) / 1024, 1)
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
