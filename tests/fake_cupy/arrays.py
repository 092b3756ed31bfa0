"""The fake's array: it hides a NumPy array, and lets it out where CuPy would.

Refused, as CuPy does: NumPy arrays as operands, indices and values; conversion to NumPy by
anything but ``get``; an array of another device than the current one; parameters that CuPy's
functions do not have. Counted: what waits for the device (``item``, ``float``, ``bool``,
``nonzero``, an index of booleans) and what is copied from or to it.
"""

import numpy as np

from tests.fake_cupy.account import counts, current_device, limited, waited
from tests.fake_cupy.index import assign, parts_of
from tests.fake_cupy.memory import Flags, Memory, poisoned, supported

SCALARS = (bool, int, float, complex, np.generic)


def inside(value):
    """Return the NumPy array of an operand, or raise as CuPy does for what it does not take."""
    if type(value) is ndarray:
        if value._device != current_device():
            raise ValueError(
                f"The device where the array resides ({value._device}) is different from the "
                f"current device ({current_device()}). Peer access is unavailable between these "
                "devices."
            )
        return value._array
    if isinstance(value, SCALARS):
        return value
    if hasattr(value, "__cuda_array_interface__"):
        return inside(adopted(value))
    raise TypeError(f"Unsupported type {type(value)}")


def outside(result, *sources):
    """Return a result of NumPy's as what CuPy returns: arrays only, views knowing their base."""
    if isinstance(result, np.ndarray):
        for source in sources:
            if type(source) is ndarray and np.may_share_memory(result, source._array):
                base = source if source._base is None else source._base
                return ndarray._of(result, source._device, base)
        counts["launches"] += 1
        return ndarray._of(result, current_device(), None)
    if isinstance(result, np.generic):
        counts["launches"] += 1
        return ndarray._of(np.asarray(result), current_device(), None)
    if isinstance(result, tuple):
        items = [outside(item, *sources) for item in result]
        return type(result)(*items) if hasattr(result, "_fields") else tuple(items)
    return result


def computed(source, result):
    """Return a result for which a kernel ran, where the source's device is the current one."""
    inside(source)
    return result


def adopted(value):
    """Return an array on the memory of another library's, which is one of ours in disguise."""
    described = value.__cuda_array_interface__
    pointer = described["data"][0]
    if not pointer:  # nothing is there, so that CuPy cannot tell where
        return ndarray(described["shape"], described["typestr"])
    return _exported[pointer]


def device_of_pointer(pointer):
    """Return the device of memory that an array has shown."""
    return _exported[pointer]._device


_exported = {}


def call(function, *values, **keywords):
    """Return what NumPy's function makes of the arrays inside."""
    arguments = [inside(value) for value in values]
    with np.errstate(all="ignore"), limited():  # a GPU says nothing
        return outside(function(*arguments, **keywords), *values)


def ordered(result):
    """Return what an elementwise kernel wrote: new memory, in C order whatever it read."""
    for array in result if isinstance(result, tuple) else [result]:
        array._array = np.asarray(array._array, order="C")
    return result


class ndarray:  # noqa: N801  (CuPy's name)
    """An array on a device."""

    __slots__ = ("__weakref__", "_array", "_base", "_device")
    __hash__ = None
    __array_priority__ = 100

    def __init__(self, shape, dtype=float, memptr=None, strides=None, order="C"):
        assert memptr is strides is None
        self._array = poisoned(np.empty(shape, supported(np.dtype(dtype)), order))
        self._device, self._base = current_device(), None

    @classmethod
    def _of(cls, array, device, base):
        self = ndarray.__new__(ndarray)
        self._array, self._device, self._base = array, device, base
        supported(array.dtype)
        return self

    # What it is

    shape = property(lambda self: self._array.shape)
    dtype = property(lambda self: self._array.dtype)
    ndim = property(lambda self: self._array.ndim)
    size = property(lambda self: self._array.size)
    strides = property(lambda self: self._array.strides)
    itemsize = property(lambda self: self._array.itemsize)
    nbytes = property(lambda self: self._array.nbytes)
    base = property(lambda self: self._base)
    _c_contiguous = property(lambda self: self._array.flags.c_contiguous)  # what CuPy's text reads
    _f_contiguous = property(lambda self: self._array.flags.f_contiguous)
    flags = property(lambda self: Flags(self._array, self._base is None))
    T = property(lambda self: self.transpose())
    mT = property(lambda self: self.swapaxes(-1, -2))  # noqa: N815

    @property
    def device(self):
        from tests.fake_cupy.cuda import Device

        return Device(self._device)

    @property
    def data(self):
        return Memory(self)

    @property
    def __cuda_array_interface__(self):
        pointer = self._array.__array_interface__["data"][0] if self.size else 0
        _exported[pointer] = self
        return {
            "shape": self.shape, "typestr": self.dtype.str, "descr": self.dtype.descr,
            "version": 3, "strides": None if self.flags.c_contiguous else self.strides,
            "data": (pointer, False), "stream": 1,
        }  # fmt: skip

    def __dlpack_device__(self):
        return (2, self._device)

    def __dlpack__(self, *, stream=None, max_version=None, dl_device=None, copy=None):
        return self  # only the fake's own `from_dlpack` takes it

    # What waits

    def get(self, stream=None, order="C", out=None, blocking=True):
        waited()
        counts["to host"] += 1
        if out is not None:
            out[...] = self._array
            return out
        return np.array(self._array, order=order)

    def set(self, arr, stream=None):
        if not isinstance(arr, np.ndarray):
            raise TypeError("Only numpy.ndarray can be set to cupy.ndarray")
        if (arr.dtype, arr.shape) != (self.dtype, self.shape):
            raise TypeError(f"{arr.dtype} {arr.shape} cannot be set to {self.dtype} {self.shape}")
        counts["to device"] += 1
        if stream is None:
            self._array[...] = arr
        else:
            stream.do(lambda: np.copyto(self._array, arr))

    def item(self):
        return self.get().item()

    def tolist(self):
        return self.get().tolist()

    def nonzero(self):
        waited()
        return outside(inside(self).nonzero())

    def __bool__(self):
        return bool(self.get())

    def __float__(self):
        return float(self.get())

    def __int__(self):
        return int(self.get())

    def __repr__(self):
        return repr(self.get())

    __str__ = __repr__

    def __array__(self, dtype=None, copy=None):
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. "
            "Please use `.get()` to construct a NumPy array explicitly."
        )

    # What NumPy hands over

    def __array_ufunc__(self, ufunc, method, *inputs, **keywords):
        import cupy

        for x in inputs:
            known = isinstance(x, (ndarray, np.ndarray, *SCALARS))
            if not known and not hasattr(x, "__cuda_array_interface__"):
                return NotImplemented
        function = getattr(cupy, ufunc.__name__, None)
        if function is None or method != "__call__":
            return NotImplemented
        if "out" in keywords:
            keywords["out"] = keywords["out"][0]
        return function(*inputs, **keywords)

    def __array_function__(self, function, types, arguments, keywords):
        import cupy

        theirs = getattr(cupy, function.__name__, None)
        if theirs is None or not all(issubclass(t, ndarray) for t in types):
            return NotImplemented
        return theirs(*arguments, **keywords)

    # Elements

    def __len__(self):
        if not self._array.ndim:
            raise TypeError("len() of unsized object")
        return len(self._array)

    def __iter__(self):
        if not self._array.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self._array)))

    def __getitem__(self, index):
        parts = parts_of(index, self.shape, inside, ndarray)
        advanced = any(isinstance(p, (list, np.ndarray)) for p in parts)
        if not advanced and ... not in parts:
            parts = (*parts, ...)  # an element is a view, not a number
        result = np.asarray(self._array[parts])
        return computed(self, outside(result)) if advanced else outside(result, self)

    def __setitem__(self, index, value):
        parts = parts_of(index, self.shape, inside, ndarray)
        counts["launches"] += 1
        with np.errstate(all="ignore"):
            assign(inside(self), parts, inside(value))

    # Methods that are functions of the arrays inside

    def astype(self, dtype, order="K", casting=None, subok=None, copy=True):
        array = inside(self)
        if not copy and array.dtype == dtype:
            return self
        dtype = supported(np.dtype(dtype))
        if array.dtype.kind == "f" and dtype.kind in "iu":
            info = np.iinfo(dtype)
            legal = (array > float(info.min) - 1) & (array < float(info.max) + 1)
            assert legal.all(), (
                f"a number that is not of {dtype}: C++ leaves open what becomes of it"
            )
        with np.errstate(all="ignore"):
            return outside(array.astype(dtype, order))

    def copy(self, order="C"):
        if self._device != current_device():
            counts["between devices"] += 1
        return outside(self._array.copy(order))  # on the current device, wherever it was

    def view(self, dtype=None, type=None):
        array = inside(self)
        return outside(array.view(array.dtype if dtype is None else dtype), self)

    def fill(self, value):
        if not isinstance(value, SCALARS):
            raise TypeError(f"Unsupported type {type(value)}")
        counts["launches"] += 1
        inside(self).fill(value)

    def scatter_add(self, slices, value):
        import cupyx

        cupyx.scatter_add(self, slices, value)

    def dot(self, b, out=None):
        if type(b) is not ndarray:
            raise TypeError(f"Argument 'b' has incorrect type (got {type(b)})")
        result = call(np.dot, self, b)
        if out is None:
            return result
        if out.dtype != result.dtype or not out.flags.c_contiguous:
            raise ValueError("Output array must be C-contiguous, and of the result's dtype")
        out[...] = result
        return out

    def take(self, indices, axis=None, out=None):
        import cupy

        return cupy.take(self, indices, axis)


def _method(name, names):
    def method(self, *arguments, **keywords):
        unknown = set(keywords) - set(names)
        if unknown:
            raise TypeError(f"{name}() got an unexpected keyword argument {unknown.pop()!r}")
        arguments = [inside(x) if type(x) is ndarray else x for x in arguments]
        half = name in ("sum", "mean") and self.dtype == "float16" and "dtype" not in keywords
        array = self._array.astype("float32") if half else self._array  # CuPy adds in float32
        with np.errstate(all="ignore"):
            result = getattr(array, name)(*arguments, **keywords)
            result = outside(result.astype("float16") if half else result, self)
        return result if result.base is not None else computed(self, result)

    method.__name__ = name
    return method


def attach_methods(names):
    """Give the array those of CuPy's methods that NumPy's array has too."""
    for name, described in names.items():
        if name not in vars(ndarray) and described != "value" and hasattr(np.ndarray, name):
            setattr(ndarray, name, _method(name, described or ()))


OPERATORS = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "true_divide",
    "floordiv": "floor_divide", "mod": "remainder", "pow": "power", "matmul": "matmul",
    "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor", "lt": "less",
    "le": "less_equal", "gt": "greater", "ge": "greater_equal", "eq": "equal", "ne": "not_equal",
}  # fmt: skip


def _operator(ufunc):
    def forward(x, y):
        if type(y) is not ndarray:
            if isinstance(y, (bool, int, float, np.generic)):
                return ordered(call(ufunc, x, y))
            theirs = getattr(y, "__array_ufunc__", ufunc)
            if theirs is None:
                return NotImplemented
            if theirs is not ufunc:
                return ufunc(x, y)  # NumPy asks every __array_ufunc__ in turn
        return ordered(call(ufunc, x, y))

    def reflected(x, y):
        return ordered(call(ufunc, y, x))

    def in_place(x, y):
        array = inside(x)
        counts["launches"] += 1
        with np.errstate(all="ignore"):
            ufunc(array, inside(y), out=array, casting="same_kind")
        return x

    return forward, reflected, in_place


for _name, _ufunc in OPERATORS.items():
    _forward, _reflected, _in_place = _operator(getattr(np, _ufunc))
    setattr(ndarray, f"__{_name}__", _forward)
    if _name not in ("lt", "le", "gt", "ge", "eq", "ne"):
        setattr(ndarray, f"__r{_name}__", _reflected)
        if _name != "matmul":  # `a @= b` makes a new array
            setattr(ndarray, f"__i{_name}__", _in_place)


def _of_one(ufunc):
    return lambda x: ordered(call(ufunc, x))


for _name, _ufunc in {"neg": np.negative, "pos": np.positive, "abs": np.absolute,
                      "invert": np.invert}.items():  # fmt: skip
    setattr(ndarray, f"__{_name}__", _of_one(_ufunc))
