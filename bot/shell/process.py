"""What this process costs, as the kernel counts it, and how it shares its time.

Must not know: who asks.
"""

import gc
import resource
import sys
from pathlib import Path
from typing import Final

STATUS: Final = "/proc/{}/status"
PEAK: Final = "VmHWM:"  # in kB
RESIDENT: Final = "VmRSS:"
YOUNG_MAX: Final = 5_000  # new objects between two looks of the garbage collector
TURN_S: Final = 0.0005  # for which a thread may keep the interpreter while another wants it


def rss_mb_peak() -> float:
    """The most memory this process has had resident, in MiB.

    From /proc where there is one: the figure of getrusage is handed on by the process that started
    this one, so a small program started by a large one would look large.
    """
    return _told(PEAK)


def rss_mb(pid: int | None = None) -> float:
    """The memory a process (this one) has resident now, in MiB; most it ever had without /proc."""
    return _told(RESIDENT, pid)


def settle() -> None:
    """Keep short what holds every task up; called once, when all is imported and before any work.

    A full collection of a hundred thousand objects takes 70 ms, and nearly all of them are modules
    that stay: they are put out of its sight. And what writes to the disk is a thread which would
    wait 5 ms for the interpreter, again after each call, while the loop is busy.
    """
    gc.freeze()
    gc.set_threshold(YOUNG_MAX, *gc.get_threshold()[1:])
    sys.setswitchinterval(TURN_S)


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
