"""Threads: a vector's parts shared among the processor's cores.

The threads are minigrad's own, and Python's. What they run must let go of the interpreter's lock:
NumPy's ufuncs do, and so does the compiled loop. Not here: what runs on a part.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

# Elements from which on threads share a vector: with fewer they wait for OpenBLAS' threads, which
# spin for some 100 ms after a product of matrices.
SHARED = 1 << 22
SMALLEST = 1 << 17  # elements of a part; below, to hand it over costs more than to wait

_LINE = 64  # elements that a part has a multiple of, so that the next starts at a line of the cache

_pool: ThreadPoolExecutor | None = None
_size = 0  # of the pool
_lock = threading.Lock()
Part = TypeVar("Part")


def count() -> int:
    """Return how many threads compute: $OMP_NUM_THREADS, or the cores that this process may use."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    if given.isdecimal() and int(given) > 0:
        return int(given)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cuts(sizes: Sequence[int]) -> list[tuple[int, slice]]:
    """Cut pieces of the given sizes into parts: which piece, and where in it; large parts first.

    A thread takes the next when it is done with one. Large parts are few, and each end of one makes
    threads wait for the interpreter; small parts at the end let all of them finish together.
    """
    shares, left, found = 2 * count(), sum(sizes), []
    for k, size in enumerate(sizes):
        start = 0
        while start < size:
            width = max(left // shares, SMALLEST)
            stop = min(start + width - width % _LINE, size)
            found.append((k, slice(start, stop)))
            left -= stop - start
            start = stop
    return found


def each(work: Callable[[Part], object], parts: Iterable[Part]) -> None:
    """Call ``work(part)`` for every part, in no order; return when all are done."""
    left = deque(parts)

    def serve() -> None:
        while left:
            try:
                part = left.popleft()
            except IndexError:  # another thread took the last
                return
            work(part)

    others: list[Future[None]] = []
    try:
        wanted = min(count(), len(left)) - 1
        while len(others) < wanted:  # each with the caller's np.errstate, which is in the context
            others.append(_threads(wanted).submit(copy_context().run, serve))
    except RuntimeError:  # the main thread has ended, and Python starts no more threads
        pass
    try:
        serve()
    finally:
        left.clear()
        for other in others:
            other.result()


def _threads(wanted: int) -> ThreadPoolExecutor:
    """Return threads, as many as wanted at least: their number may change as a program runs."""
    global _pool, _size
    with _lock:
        if _pool is None or _size < wanted:
            if _pool is not None:
                _pool.shutdown(wait=False)
            _pool, _size = ThreadPoolExecutor(wanted, thread_name_prefix="minigrad"), wanted
        return _pool


def _after_fork() -> None:
    """Forget the threads and the lock, which a forked process does not have."""
    global _pool, _lock
    _pool, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
