"""What this process costs, as the kernel counts it.

Must not know: who asks.
"""

import resource
from pathlib import Path
from typing import Final

STATUS: Final = Path("/proc/self/status")
PEAK: Final = "VmHWM:"  # in kB


def rss_mb_peak() -> float:
    """The most memory this process has had resident, in MiB.

    From /proc where there is one: the figure of getrusage is handed on by the process that started
    this one, so a small program started by a large one would look large.
    """
    if STATUS.exists():
        for line in STATUS.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith(PEAK):
                return round(int(line.split()[1]) / 1024, 1)
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def cpu_s() -> float:
    """CPU seconds of this process so far, in user and kernel mode."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
