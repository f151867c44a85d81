"""What a process costs."""

import subprocess
import sys

from bot.shell.process import cpu_s, rss_mb, rss_mb_peak

SETTLED = """
import gc, sys
from bot.shell.process import settle
settle()
print(gc.get_freeze_count(), sys.getswitchinterval())
"""
ASK = "from bot.shell.process import rss_mb_peak; print(rss_mb_peak())"


def test_a_small_program_of_a_large_one_looks_small() -> None:
    """The peak is the process's own, whoever started it."""
    ballast = bytearray(200 * 1024 * 1024)
    for place in range(0, len(ballast), 4096):
        ballast[place] = 1
    run = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True)
    assert rss_mb_peak() > 200
    assert 1 < float(run.stdout) < 150
    del ballast


def test_work_costs_processor_time() -> None:
    """CPU seconds grow with work and never shrink."""
    before_s = cpu_s()
    assert sum(number * number for number in range(300_000)) > 0
    assert cpu_s() > before_s


def test_a_settled_process_is_not_held_up_by_what_it_imported() -> None:
    """The collector no longer sees the modules, and threads take turns well under a slice."""
    run = subprocess.run(
        [sys.executable, "-c", SETTLED], capture_output=True, text=True, check=True
    )
    frozen, turn_s = run.stdout.split()
    assert int(frozen) > 1_000
    assert float(turn_s) < 0.005


def test_memory_of_another_process_can_be_asked_for() -> None:
    """Resident now is never more than the most there was; a child's is its own."""
    assert 1 < rss_mb() <= rss_mb_peak()
    here = 'print("here", flush=True); input()'
    pipe = subprocess.PIPE
    child = subprocess.Popen([sys.executable, "-c", here], stdin=pipe, stdout=pipe)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == b"here\n", "it is a program of its own by now"
        assert 0 < rss_mb(child.pid) < rss_mb_peak()
    finally:
        child.communicate(b"\n")
