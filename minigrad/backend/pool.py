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
from types import SimpleNamespace
from typing import Any

Array = Any
Make = Callable[[tuple[int, ...], Any], Array]
Key = tuple[tuple[int, ...], Any]  # shape and dtype


class Pool:
    """Arrays by shape and dtype, `each` of a kind at most, `limit` bytes of all kinds at most.

    An array belongs to the pool and to whoever was given it. When the pool is the only one left
    that refers to it (no tensor, no view, no other library's tensor, no weak reference), it is free
    to be given again, the one that was given last before the others: it may still be in the
    processor's cache. Beyond its limits the pool forgets the arrays that it gave longest ago; who
    uses one keeps it. A pool serves all threads. Where references cannot be counted (a Python
    without the global interpreter lock, PyPy) every array is a new one.

    What `make` returns may look at other memory (its ``base``) that nobody else knows: views of it
    refer to that, so that the references to both are counted.
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

    @property
    def nbytes(self) -> int:
        """The bytes of all arrays that the pool knows, in use or not."""
        return sum(a.nbytes for known in tuple(self.arrays.values()) for a in tuple(known))

    def take(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """Return an array of this shape and dtype, row-major; what it contains is undefined.

        A signal's handler or a finalizer that runs in the middle may call this, too: what is being
        looked at is out of its reach, and nothing is relied on that it may have changed.
        """
        if not _COUNTED:
            return self.make(shape, dtype)
        key = (shape, dtype)
        with self.lock:  # or two threads would find the same array free
            known = self.arrays[key] = self.arrays.pop(key, deque())  # the newest now
            for _ in range(len(known)):
                if not known:
                    break
                array = known.pop()
                if _count(array) == _ALONE and _unseen(array):
                    known.append(array)
                    return array
                known.appendleft(array)
            array = self.make(shape, dtype)
            self._remember(key, array)
            return array

    def _remember(self, key: Key, array: Array) -> None:
        """Add an array, and forget the oldest ones of the shapes not asked for the longest."""
        if array.nbytes > self.limit:
            self.arrays.pop(key, None)
            return
        known = self.arrays.setdefault(key, deque())
        known.append(array)
        if len(known) > self.each:
            known.popleft()
        over = self.nbytes - self.limit
        while over > 0:
            oldest, others = next(iter(self.arrays.items()))
            if others:
                over -= others.popleft().nbytes
            if not others:
                del self.arrays[oldest]


def _count(array: Array) -> int:
    """Return how many references there are to an array, the caller's and those of this call too."""
    return sys.getrefcount(array)


def _unseen(array: Array) -> bool:
    """Say whether no view of an array's memory and no weak reference to either is left."""
    base = array.base
    if base is not None and (_behind(array) != _ALONE_BEHIND or weakref.getweakrefcount(base)):
        return False
    return not weakref.getweakrefcount(array)


def _behind(array: Array) -> int:
    """Return how many references there are to what an array looks at, this function's too."""
    base = array.base
    return sys.getrefcount(base)


def _alone() -> int:
    """Return what `_count` says where the caller's is the only one; it differs by version."""
    known = deque([object()])
    array = known.popleft()
    return _count(array)


_LOCKED = getattr(sys, "_is_gil_enabled", lambda: True)()
_COUNTED = _LOCKED and sys.implementation.name == "cpython"
_ALONE = _alone() if _COUNTED else 0
_ALONE_BEHIND = 1 + _behind(SimpleNamespace(base=object())) if _COUNTED else 0  # `_unseen` has one
