"""The fake's modules: CuPy's names, computed by NumPy's functions of the same names.

Where the two libraries differ in what they do, there is a function here; all else follows from
`names.json`.
"""

import contextlib
import json
import sys
import types
from pathlib import Path

import numpy as np

from tests.fake_cupy import arrays
from tests.fake_cupy.arrays import (
    SCALARS,
    DeviceSynchronized,
    OutOfMemoryError,
    attach_methods,
    call,
    counts,
    current_device,
    index_inside,
    inside,
    limited,
    ndarray,
    outside,
    use_device,
    waited,
)
from tests.fake_cupy.kernels import RawKernel

NAMES = json.loads(Path(__file__).with_name("names.json").read_text())["names"]
UFUNC = ("out", "dtype", "casting")  # what CuPy's ufuncs take by name
attach_methods(NAMES["cupy.ndarray"])


# Functions: NumPy's, of the arrays inside -----------------------------------------------------


def _deep(value):
    """Return an argument with the arrays inside; lists and tuples of arrays too."""
    if type(value) is ndarray or isinstance(value, np.ndarray):
        return inside(value)
    if isinstance(value, (list, tuple)) and any(type(x) is ndarray for x in value):
        return type(value)(_deep(x) for x in value)
    return value


class Function:
    """A function of CuPy's, checked against the names of its parameters."""

    def __init__(self, name, described, numpys):
        self.__name__ = name
        self.names = UFUNC if described == "ufunc" else described
        self.numpys = numpys

    def __call__(self, *arguments, **keywords):
        if self.names is not None and "*" not in self.names:
            unknown = set(keywords) - set(self.names)
            if unknown:
                raise TypeError(f"{self.__name__}() got an unexpected keyword {unknown.pop()!r}")
        given = [_deep(x) for x in arguments]
        out = keywords.get("out")
        named = {key: _deep(value) for key, value in keywords.items()}
        with np.errstate(all="ignore"), limited():
            result = self.numpys(*given, **named)
        if out is not None:
            return out
        flat = [x for item in arguments for x in (item if isinstance(item, list) else [item])]
        return outside(result, *flat)


class UFunc(Function):
    """A function with methods of its own."""

    def at(self, a, indices, b=None):
        if self.__name__ != "add":
            raise NotImplementedError(self.__name__)
        scatter_add(a, indices, b)


def array(obj, dtype=None, copy=True, order="K", subok=False, ndmin=0, *, blocking=False):
    """Copy to the device: numbers, lists, NumPy's arrays; lists of arrays are joined."""
    if type(obj) is ndarray:
        return obj.astype(obj.dtype if dtype is None else dtype, order=order, copy=bool(copy))
    if hasattr(obj, "__cuda_array_interface__"):
        return array(arrays.adopted(obj), dtype, copy, order)
    if not isinstance(obj, SCALARS):
        counts["to device"] += 1
    return outside(np.array(obj, dtype, order=order))


def argsort(a, axis=-1, kind=None):
    return outside(np.argsort(inside(a), axis, kind="stable"))


def asarray(a, dtype=None, order=None, *, copy=None, blocking=False):
    return array(a, dtype, copy=False, order=order or "K")


def asnumpy(a, stream=None, order="C", out=None, *, blocking=True):
    return a.get(stream, order, out) if type(a) is ndarray else np.asarray(a)


def from_dlpack(array, *, device=None, copy=None):
    return array.__dlpack__()


def take(a, indices, axis=None, out=None):
    if isinstance(indices, np.ndarray):
        raise TypeError(f"Unsupported type {type(indices)}")
    return outside(np.take(inside(a), _deep(indices), axis, mode="wrap"))


def scatter_add(a, slices, value):
    if a.dtype.char not in "iIlLqQefd":
        raise TypeError(f"cupy.add.at only supports some dtypes, not {a.dtype}")
    target, places = inside(a), index_inside(slices, a.shape)
    with np.errstate(all="ignore"):
        np.add.at(target, places, inside(value))


def copyto(dst, src, casting="same_kind", where=None):
    np.copyto(inside(dst), inside(src), casting, where=True if where is None else inside(where))


def einsum(*operands, **keywords):
    if set(keywords) - {"dtype", "optimize"}:
        raise TypeError(f"einsum() got an unexpected keyword {keywords}")
    return outside(np.einsum(*map(_deep, operands), **keywords), *operands)


def may_share_memory(a, b, max_work=None):
    return a.device_id == b.device_id and np.may_share_memory(inside(a), inside(b))


def waits(function):
    """Return a function whose result's shape depends on values."""

    def counted(*arguments, **keywords):
        waited()
        return function(*arguments, **keywords)

    return counted


# Linear algebra: no errors but for shapes ---------------------------------------------------------


def solve(a, b):
    if b.ndim == 1 and a.shape[-1] != b.size:
        raise ValueError("a must have (..., M, M) shape and b must have (M,)")
    if b.ndim > 1 and a.shape[:-1] != b.shape[:-1]:
        raise ValueError("a must have (..., M, M) shape and b must have (..., M, K)")
    return _silent(np.linalg.solve, a, b, like=b)


def inv(a):
    return _silent(np.linalg.inv, a, like=a)


def cholesky(a):
    return _silent(np.linalg.cholesky, a, like=a)


def _silent(function, *values, like):
    try:
        return call(function, *values)
    except np.linalg.LinAlgError:  # cuSOLVER's answer is not looked at
        dtype = np.result_type(*(value.dtype for value in values), np.float32)
        return outside(np.full(like.shape, np.nan, dtype))


# Random numbers, devices, streams -----------------------------------------------------------------


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

    mem_info = property(lambda self: (arrays.MEMORY // 2, arrays.MEMORY))
    compute_capability = "90"

    def __eq__(self, other):
        return isinstance(other, Device) and other.id == self.id

    __hash__ = None

    def __repr__(self):
        return f"<CUDA Device {self.id}>"


class CUDARuntimeError(RuntimeError):
    """As CuPy's."""


def _device_count():
    return arrays.DEVICES


def _set_device(device):
    if not 0 <= device < arrays.DEVICES:
        raise CUDARuntimeError("cudaErrorInvalidDevice: invalid device ordinal")
    use_device(device)


runtime = types.SimpleNamespace(
    CUDARuntimeError=CUDARuntimeError,
    getDeviceCount=_device_count,
    getDevice=current_device,
    setDevice=_set_device,
    driverGetVersion=lambda: 13000,
    runtimeGetVersion=lambda: 13000,
    getDeviceProperties=lambda device: {"name": b"fake"},
)


class Stream:
    """A stream: everything is done at once, in the order in which it is asked for."""

    entered = 0

    def __init__(self, null=False, non_blocking=False, ptds=False, priority=None):
        self.ptr = 0 if null else id(self)
        self.events = []

    def __enter__(self):
        Stream.entered += 1
        return self

    def __exit__(self, *exception):
        Stream.entered -= 1

    def wait_event(self, event):
        assert event.recorded, "an event that nobody recorded"

    def record(self, event=None):
        event = event or Event()
        event.record(self)
        return event

    def synchronize(self):
        waited()


class Event:
    """A mark in a stream."""

    done = True

    def __init__(self, block=False, disable_timing=False, interprocess=False):
        self.recorded = False

    def record(self, stream=None):
        self.recorded = True

    def synchronize(self):
        waited()


class ByName:
    """A kernel that NumPy computes, by its name: the text is CUDA's and is not read here."""

    def __init__(self, name):
        self.run = KERNELS[name]

    def __call__(self, grid, block, arguments):
        self.run(*(inside(x) for x in arguments))


def _add_in_order(out, places, order, values, n):
    assert np.all(np.diff(places) >= 0)
    np.add.at(out.reshape(-1), places[:n], values.reshape(-1)[order[:n]])


KERNELS = {"add_in_order": _add_in_order}


def raw_kernel(code, name, options=(), backend="nvrtc"):
    return ByName(name) if name in KERNELS else RawKernel(code, name, options, backend)


compute_types = {}


@contextlib.contextmanager
def allow_synchronize(allow):
    before = getattr(arrays._here, "may_wait", True)
    arrays._here.may_wait = allow
    try:
        yield
    finally:
        arrays._here.may_wait = before


OURS = {
    "cupy": {
        "ndarray": ndarray, "array": array, "asarray": asarray, "argsort": argsort,
        "asnumpy": asnumpy, "take": take, "copyto": copyto, "einsum": einsum,
        "from_dlpack": from_dlpack,
        "may_share_memory": may_share_memory, "RawKernel": raw_kernel,
        "ascontiguousarray": lambda a, dtype=None: call(np.ascontiguousarray, a),
    },
    "cupy.linalg": {
        "solve": solve, "inv": inv, "cholesky": cholesky, "LinAlgError": np.linalg.LinAlgError,
    },
    "cupy.random": {"Generator": Generator, "default_rng": Generator},
    "cupy.cuda": {
        "Device": Device, "Stream": Stream, "Event": Event, "runtime": runtime,
        "get_current_stream": lambda: Stream(null=True),
    },
    "cupyx": {
        "scatter_add": scatter_add, "allow_synchronize": allow_synchronize,
        "DeviceSynchronized": DeviceSynchronized,
        "empty_pinned": lambda shape, dtype=float, order="C": np.empty(shape, dtype, order),
    },
}  # fmt: skip
WAITING = ("nonzero", "flatnonzero", "argwhere", "unique", "array_equal", "allclose")


def _module(name, numpys=None):
    """Return a module with those of CuPy's names that are here or in NumPy."""
    module = types.ModuleType(name)
    ours = OURS.get(name, {})
    for key, described in NAMES[name].items():
        theirs = getattr(numpys, key, None)
        if key in ours:
            value = ours[key]
        elif theirs is None:
            continue
        elif described == "value":
            value = theirs
        elif isinstance(theirs, np.ufunc):
            value = UFunc(key, "ufunc", theirs)
        else:
            value = Function(key, described, theirs)
            value = waits(value) if key in WAITING else value
        setattr(module, key, value)
    for key in ours.keys() - NAMES[name].keys():
        if key != "runtime":
            raise AttributeError(f"{name} has no {key}")
    if "runtime" in ours:
        module.runtime = ours["runtime"]
    return module


def install(put=sys.modules.__setitem__):
    """Make ``import cupy`` find the fake: ``put(name, module)`` for each module of it."""
    import scipy.special

    use_device(0)
    cupy = _module("cupy", np)
    cupy.__version__ = "14.2.0"
    for name, numpys in (("linalg", np.linalg), ("random", None), ("cuda", None)):
        module = _module(f"cupy.{name}", numpys)
        setattr(cupy, name, module)
        put(f"cupy.{name}", module)
    cupy.cuda.memory = types.SimpleNamespace(OutOfMemoryError=OutOfMemoryError)
    core = types.ModuleType("cupy._core")
    core.set_compute_type = compute_types.__setitem__
    core._routines_linalg = types.ModuleType("cupy._core._routines_linalg")
    core._routines_linalg.COMPUTE_TYPE_DEFAULT = "default"
    core._routines_linalg.COMPUTE_TYPE_TF32 = "TF32"
    put("cupy._core", core)
    put("cupy._core._routines_linalg", core._routines_linalg)
    cupyx = _module("cupyx")
    cupyx.scipy = types.ModuleType("cupyx.scipy")
    cupyx.scipy.special = _module("cupyx.scipy.special", scipy.special)
    put("cupy", cupy)
    put("cupyx", cupyx)
    put("cupyx.scipy", cupyx.scipy)
    put("cupyx.scipy.special", cupyx.scipy.special)
