"""Pool: large arrays that nobody holds any more, kept for the next results of the same shape.

Floor 0. Memory that is new from the system is cleared by it, and costs a fault for every page when
it is first touched; glibc gives large blocks back as soon as they are free. A sweep through a
network makes arrays of the same shapes again and again: a Hessian-vector product of a network of
half a million parameters takes a quarter less time with the arrays of the one before.

Not here: which results are made in arrays from the pool (`numpy.py`).
"""

from __future__ import annotations

import os
import sys
import threading
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any

Array = Any
Make = Callable[[tuple[int, ...], Any], Array]
Key = tuple[tuple[int, ...], Any]  # shape and dtype


class Pool:
    """Arrays by shape and dtype, `each` of a kind at most, `limit` bytes of all kinds at most.

    An array belongs to the pool and to whoever was given it. When the pool is the only one left
    that refers to it (no tensor, no view, no other library's tensor, no weak reference), it is free
    to be given again. Beyond its limits the pool forgets the arrays that it gave longest ago; who
    uses one keeps it. A pool serves all threads. Where references cannot be counted (a Python
    without the global interpreter lock, PyPy) every array is a new one.
    """

    def __init__(self, make: Make, limit: int, each: int) -> None:
        self.make = make
        self.limit = limit
        self.each = each
        self._unlock()
        self.clear()
        if hasattr(os, "register_at_fork"):  # a thread that held it is not in the child
            os.register_at_fork(after_in_child=self._unlock)

    def _unlock(self) -> None:
        self.lock = threading.RLock()  # a finalizer that runs in `take` may multiply, too

    def clear(self) -> None:
        """Forget every array; those that nobody uses are freed."""
        with self.lock:
            self.arrays: OrderedDict[Key, deque[Array]] = OrderedDict()
            self.nbytes = 0

    def take(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """Return an array of this shape and dtype, row-major; what it contains is undefined."""
        if not _COUNTED:
            return self.make(shape, dtype)
        key = (shape, dtype)
        with self.lock:  # or two threads would find the same array free
            known = self.arrays.get(key)
            if known is None:
                known = self.arrays[key] = deque()
            self.arrays.move_to_end(key)
            for i in range(len(known)):
                if _free(known, i):
                    return known[i]
            array = self.make(shape, dtype)
            if array.nbytes <= self.limit:
                known.append(array)
                self.nbytes += array.nbytes
                if len(known) > self.each:
                    self.nbytes -= known.popleft().nbytes
                while self.nbytes > self.limit:
                    self._forget()
            return array

    def _forget(self) -> None:
        """Forget the oldest array of the shape that was asked for longest ago."""
        key, known = next(iter(self.arrays.items()))
        self.nbytes -= known.popleft().nbytes
        if not known:
            del self.arrays[key]


def _count(known: deque[Array], i: int) -> int:
    """Return how many references there are to an array in a deque."""
    return sys.getrefcount(known[i])


def _free(known: deque[Array], i: int) -> bool:
    """Say whether nobody but the deque refers to an array in it."""
    return _count(known, i) == _ALONE and not weakref.getweakrefcount(known[i])


def _alone() -> int:
    """Return what `_count` says of an object that is in the deque alone; versions differ."""
    return _count(deque([object()]), 0)


_LOCKED = getattr(sys, "_is_gil_enabled", lambda: True)()
_COUNTED = _LOCKED and sys.implementation.name == "cpython"
_ALONE = _alone() if _COUNTED else 0
