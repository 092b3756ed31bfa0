"""The fake's devices, streams, events, and random generators. All is done at once."""

import types

import numpy as np

from tests.fake_cupy import account
from tests.fake_cupy.account import current_device, use_device, waited
from tests.fake_cupy.arrays import device_of_pointer, outside


class Device:
    """A device; entering it makes it the current one."""

    def __init__(self, device=None):
        self.id = current_device() if device is None else int(device)
        self._before = []

    def use(self):
        runtime.setDevice(self.id)

    def __enter__(self):
        self._before.append(current_device())
        self.use()
        return self

    def __exit__(self, *exception):
        use_device(self._before.pop())

    def synchronize(self):
        waited()

    mem_info = property(lambda self: (account.MEMORY // 2, account.MEMORY))
    compute_capability = "90"

    def __eq__(self, other):
        return isinstance(other, Device) and other.id == self.id

    __hash__ = None

    def __repr__(self):
        return f"<CUDA Device {self.id}>"


class CUDARuntimeError(RuntimeError):
    """As CuPy's, from where that is."""

    __module__ = "cupy_backends.cuda.api.runtime"


def _device_count():
    return account.DEVICES


def _set_device(device):
    if not 0 <= device < account.DEVICES:
        raise CUDARuntimeError("cudaErrorInvalidDevice: invalid device ordinal")
    use_device(device)


runtime = types.SimpleNamespace(
    CUDARuntimeError=CUDARuntimeError,
    getDeviceCount=_device_count,
    getDevice=current_device,
    setDevice=_set_device,
    driverGetVersion=lambda: 13000,
    runtimeGetVersion=lambda: 13000,
    pointerGetAttributes=lambda ptr: types.SimpleNamespace(device=device_of_pointer(ptr)),
    getDeviceProperties=lambda device: {"name": b"fake"},
    is_hip=False,
)


class Stream:
    """A stream of the current device. The one that computes does all at once; any other does its
    work as late as it may.

    So who reads what a copy has not brought yet reads what was there before, and who changes the
    memory that a copy comes from changes the copy.
    """

    entered = 0

    def __init__(self, null=False, non_blocking=False, ptds=False, priority=None):
        self.ptr = 0 if null else id(self)
        self.device = current_device()
        self.work = []

    def __enter__(self):
        Stream.entered += 1
        return self

    def __exit__(self, *exception):
        Stream.entered -= 1

    def do(self, work):
        """Do a piece of work, now or later; what is later is done once."""
        if self.ptr:
            self.work.append(work)
        else:
            work()

    def finish(self, count):
        """Do the first pieces of work, as many as are asked for."""
        while count and self.work:
            self.work.pop(0)()
            count -= 1

    def wait_event(self, event):
        assert event.stream is not None, "an event that nobody recorded"
        if not self.ptr and self.device == event.stream.device:  # no other device's work waits
            event.finish()

    def record(self, event=None):
        event = event or Event()
        event.record(self)
        return event

    def synchronize(self):
        waited()
        self.finish(len(self.work))


class Event:
    """A mark in a stream."""

    def __init__(self, block=False, disable_timing=False, interprocess=False):
        self.stream, self.last = None, None

    def record(self, stream=None):
        self.stream = stream or Stream(null=True)
        self.last = self.stream.work[-1] if self.stream.work else None

    @property
    def done(self):
        return self.last not in self.stream.work

    def finish(self):
        """Do all that was to be done before the mark."""
        if not self.done:
            self.stream.finish(self.stream.work.index(self.last) + 1)

    def synchronize(self):
        waited()
        self.finish()


class Pool:
    """A memory pool, which counts how often it was told to free what is not in use."""

    freed = 0

    def free_all_blocks(self):
        self.freed += 1


device_pool, pinned_pool = Pool(), Pool()


class Generator:
    """CuPy's `Generator`: fewer methods than NumPy's, float32 and float64 only."""

    def __init__(self, seed=None):
        self._generator = np.random.default_rng(seed)
        self.device_id = current_device()

    def _drawn(self, name, size, dtype):
        if np.dtype(dtype) not in ("float32", "float64"):
            raise TypeError(f"Unsupported dtype {dtype}. Only float32 and float64 are supported")
        return self._here(getattr(self._generator, name)(size, np.dtype(dtype)))

    def _here(self, values):
        if self.device_id != current_device():
            raise ValueError(f"the generator is on device {self.device_id}")
        return outside(np.asarray(values))

    def random(self, size=None, dtype=np.float64, out=None):
        return self._drawn("random", size, dtype)

    def standard_normal(self, size=None, dtype=np.float64, out=None):
        return self._drawn("standard_normal", size, dtype)

    def uniform(self, low=0.0, high=1.0, size=None, dtype=np.float64):
        return self.random(size, dtype) * (high - low) + low

    def integers(self, low, high=None, size=None, dtype=np.int64, endpoint=False):
        return self._here(self._generator.integers(low, high, size, dtype, endpoint))


def random(size=None):
    return Generator(0).random(size)
