"""What the fake keeps account of: waits, copies, devices and their memory. No arrays are here."""

import threading
import warnings
from collections import Counter
from contextlib import contextmanager

# "waits", "to host", "to device", "between devices", and "launches": calls that write memory of the
# device, of which the real ones need one kernel or copy each, or more.
counts = Counter()
DEVICES = 2
MEMORY = 1 << 33  # bytes of each device, by its own account
_here = threading.local()


def current_device():
    return getattr(_here, "device", 0)


def use_device(device):
    _here.device = device


class DeviceSynchronized(RuntimeError):  # noqa: N818  (CuPy's name)
    """Somebody waited for the device where `cupyx.allow_synchronize` forbids it."""


class OutOfMemoryError(MemoryError):
    """As CuPy's: too much was asked for."""

    def __init__(self, size, total, limit=0):
        super().__init__(
            f"Out of memory allocating {size:,} bytes (allocated so far: {total:,} bytes)."
        )


@contextmanager
def limited():
    """Say as CuPy does that there is no memory."""
    try:
        yield
    except MemoryError as error:
        raise OutOfMemoryError(1 << 45, 0) from error


def waited():
    """Note that the host waits for the device."""
    counts["waits"] += 1
    if not getattr(_here, "may_wait", True):
        raise DeviceSynchronized("device synchronization is not allowed here")


@contextmanager
def allow_synchronize(allow):
    warnings.warn("cupyx.allow_synchronize will be removed in future releases", stacklevel=2)
    before = getattr(_here, "may_wait", True)
    _here.may_wait = allow
    try:
        yield
    finally:
        _here.may_wait = before
