"""A vector's parts on several threads: each once, errors and settings the caller's, forks, ends."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from minigrad.fuse import threads


def test_threads_take_every_part_once(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    threads.each(lambda part: None, range(4))  # makes the pool; then more are wanted
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    for sizes in ([0], [1], [threads.SMALLEST], [12_345_678], [5_000_000, 3, 70_000, 6_000_001]):
        cuts = threads.cuts(sizes)
        for k, size in enumerate(sizes):
            mine = [cut for piece, cut in cuts if piece == k]
            assert [cut.start for cut in mine] == [0, *[cut.stop for cut in mine]][: len(mine)]
            assert sum(cut.stop - cut.start for cut in mine) == size
            assert all(cut.start % 64 == 0 for cut in mine)
    assert [k for k, _ in cuts] == sorted(k for k, _ in cuts)
    assert len(threads.cuts([1_000_000] * 100)) < 130  # of a piece that is no large share, one part
    taken, busy = [], threading.Barrier(3, timeout=10)

    def work(part):
        if part < 3:
            busy.wait()  # passes only if three threads are here at once
        taken.append(part)

    threads.each(work, range(20))
    assert sorted(taken) == list(range(20))


def test_an_error_in_a_thread_is_the_callers(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    left = []
    for bad in range(3):
        with pytest.raises(ZeroDivisionError):
            threads.each(lambda part, bad=bad: left.append(part) or 1 / (part - bad), range(3))


def test_every_thread_has_the_callers_errstate(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    busy, found = threading.Barrier(3, timeout=10), []

    def work(part):
        busy.wait()
        found.append(np.geterr()["divide"])

    with np.errstate(divide="raise"):
        threads.each(work, range(3))
    assert found == ["raise"] * 3


FORK = """
import faulthandler, os, warnings
import numpy as np
import minigrad as mg
from minigrad import optim
from minigrad.fuse import threads

warnings.simplefilter("ignore")  # Python's own, of a fork while there are threads
threads.SHARED = 1
p = mg.tensor(np.ones(500_000, "float32"), requires_grad=True)
optimizer = optim.Adam([p])
def step():
    p.grad = p.detach()
    optimizer.step()
    return round(float(p.detach().numpy().sum(dtype="float64")), 2)
step()
child = os.fork()
faulthandler.dump_traceback_later(20, exit=True)
total = step()
if child:
    assert os.waitpid(child, 0)[1] == 0
    print(total)
os._exit(0 if total < 500_000 else 1)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_forked_process_has_threads_of_its_own():
    environment = os.environ | {"OMP_NUM_THREADS": "3", "MINIGRAD_FAST": "0"}
    done = subprocess.run(
        [sys.executable, "-u", "-c", FORK], env=environment, capture_output=True, text=True
    )
    assert done.stdout == "499000.01\n", done.stderr


LATE = """
import threading, time
import numpy as np
import minigrad as mg
from minigrad import optim
from minigrad.fuse import threads

threads.SHARED = 1
p = mg.tensor(np.ones(500_000, "float32"), requires_grad=True)
optimizer = optim.SGD([p], lr=0.5)

def train():
    threading.main_thread().join()
    p.grad = mg.ones(500_000)
    optimizer.step()
    print(p.numpy().sum())

threading.Thread(target=train).start()
"""


def test_a_thread_that_outlives_the_program_steps_alone():
    """Python starts no more threads once the main one has ended."""
    environment = os.environ | {"OMP_NUM_THREADS": "3", "MINIGRAD_FAST": "0"}
    done = subprocess.run(
        [sys.executable, "-u", "-c", LATE], env=environment, capture_output=True, text=True
    )
    assert done.stdout == "250000.0\n", done.stderr
