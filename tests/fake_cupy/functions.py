"""The fake's functions: NumPy's of the same names, held to CuPy's parameters; and what differs."""

import numpy as np

from tests.fake_cupy import arrays
from tests.fake_cupy.account import counts, current_device, limited, waited
from tests.fake_cupy.arrays import SCALARS, call, inside, ndarray, ordered, outside
from tests.fake_cupy.index import parts_of
from tests.fake_cupy.memory import poisoned

UFUNC = ("out", "dtype", "casting")  # what CuPy's ufuncs take by name, `where` not among them
# What computes with no array: it makes one, or looks at types and shapes.
NO_OPERANDS = {
    "arange", "broadcast_shapes", "can_cast", "empty", "eye", "finfo", "full", "identity", "iinfo",
    "isscalar", "linspace", "logspace", "min_scalar_type", "ones", "promote_types", "result_type",
    "tri", "zeros",
}  # fmt: skip
OF_LISTS = {
    "block", "broadcast_arrays", "column_stack", "concatenate", "dstack", "hstack", "meshgrid",
    "stack", "vstack",
}  # fmt: skip


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
            for unknown in set(keywords) - set(self.names):
                raise TypeError(f"{self.__name__}() got an unexpected keyword {unknown!r}")
        self.refuse(arguments, keywords)
        given = [_deep(x) for x in arguments]
        out = keywords.get("out")
        named = {key: _deep(value) for key, value in keywords.items()}
        with np.errstate(all="ignore"), limited():
            result = self.numpys(*given, **named)
        if out is not None:
            counts["launches"] += 1
            return out
        flat = [x for item in arguments for x in (item if isinstance(item, list) else [item])]
        return outside(result, *flat)

    def refuse(self, arguments, keywords):
        """Raise TypeError where what is to be computed with is not on the device."""
        if self.__name__ in NO_OPERANDS:
            return
        first = arguments[0] if arguments else next(iter(keywords.values()), None)
        several = isinstance(first, (list, tuple)) and self.__name__ in OF_LISTS
        for x in first if several else [first]:
            if type(x) is not ndarray:
                raise TypeError(f"{self.__name__}(): unsupported type {type(x)}")


class UFunc(Function):
    """An elementwise function: of arrays and numbers, not of lists; its result is in C order."""

    def refuse(self, arguments, keywords):
        for x in arguments:
            inside(x)
        out = keywords.get("out")
        if out is not None and type(out) is not ndarray:
            raise TypeError(f"{self.__name__}(): out is a {type(out)}")

    def __call__(self, *arguments, **keywords):
        result = super().__call__(*arguments, **keywords)
        return result if keywords.get("out") is not None else ordered(result)

    def at(self, a, indices, b=None):
        if self.__name__ != "add":
            raise NotImplementedError(self.__name__)
        scatter_add(a, indices, b)


def array(obj, dtype=None, copy=True, order="K", subok=False, ndmin=0, *, blocking=False):
    """Copy to the current device: numbers, lists, arrays elsewhere; lists of arrays are joined."""
    if type(obj) is ndarray:
        if obj._device != current_device():
            obj, copy = obj.copy(), False
        return obj.astype(obj.dtype if dtype is None else dtype, order=order, copy=bool(copy))
    if hasattr(obj, "__cuda_array_interface__"):
        return array(arrays.adopted(obj), dtype, copy, order)
    if not isinstance(obj, SCALARS):
        counts["to device"] += 1
    if isinstance(obj, (list, tuple)):
        obj = _fetched(obj)
    return outside(np.array(obj, dtype, order=order))


def _fetched(items):
    """Return nested lists with the arrays inside: CuPy joins those on the device."""
    if isinstance(items, (list, tuple)):
        return [_fetched(x) for x in items]
    return inside(items) if type(items) is ndarray else items


def argsort(a, axis=-1, kind=None):
    return outside(np.argsort(inside(a), axis, kind="stable"))


def ascontiguousarray(a, dtype=None):
    if type(a) is not ndarray:
        return array(a, dtype, order="C")
    same = a.flags.c_contiguous and dtype in (None, a.dtype)
    return a if same else a.astype(dtype or a.dtype, order="C")


def asarray(a, dtype=None, order=None, *, copy=None, blocking=False):
    return array(a, dtype, copy=False, order=order or "K")


def asnumpy(a, stream=None, order="C", out=None, *, blocking=True):
    return a.get(stream, order, out) if type(a) is ndarray else np.asarray(a)


def empty(shape, dtype=float, order="C"):
    with limited():
        return ndarray(shape, dtype, order=order)


def empty_like(prototype, dtype=None, order="K", subok=None, shape=None):
    with limited():
        return outside(poisoned(np.empty_like(inside(prototype), dtype, order, shape=shape)))


def from_dlpack(array, *, device=None, copy=None):
    return array.__dlpack__()


def take(a, indices, axis=None, out=None):
    if isinstance(indices, np.ndarray):
        raise TypeError(f"Unsupported type {type(indices)}")
    return outside(np.take(inside(a), _deep(indices), axis, mode="wrap"))


def where(condition, x=None, y=None):
    if x is None or y is None:
        raise NotImplementedError("the fake has no where of one argument; it would wait")
    if type(condition) is not ndarray:
        raise TypeError(f"a condition that is a {type(condition)}")
    return ordered(call(np.where, condition, x, y))


def clip(a, a_min, a_max, out=None):
    if type(a) is not ndarray:
        raise TypeError(f"Unsupported type {type(a)}")
    if a_min is None and a_max is None:
        raise ValueError("array_clip: must set either max or min")
    low, high = (None if x is None else inside(x) for x in (a_min, a_max))
    return ordered(call(lambda x: np.clip(x, low, high), a))


def erf(x):
    """The error function; CuPy has no loop for float16 but the one that ends in float64."""
    from scipy import special

    array = inside(x)
    wide = array.dtype if array.dtype.char in "fd" else np.dtype("float64")
    return ordered(outside(special.erf(array.astype(wide))))


def sum(a, axis=None, dtype=None, out=None, keepdims=False):
    if type(a) is not ndarray:
        raise TypeError(f"Unsupported type {type(a)}")
    assert dtype is out is None
    return a.sum(axis=axis, keepdims=keepdims)


def dot(a, b, out=None):
    if type(a) is not ndarray:
        raise TypeError(f"Unsupported type {type(a)}")
    return a.dot(b, out)


def scatter_add(a, slices, value):
    if a.dtype.char not in "iIlLqQefd":
        raise TypeError(f"cupy.add.at only supports some dtypes, not {a.dtype}")
    counts["launches"] += 1
    target, places = inside(a), parts_of(slices, a.shape, inside, ndarray)
    with np.errstate(all="ignore"):
        np.add.at(target, places, inside(value))


def copyto(dst, src, casting="same_kind", where=None):
    counts["launches"] += 1
    np.copyto(inside(dst), inside(src), casting, where=True if where is None else inside(where))


def einsum(*operands, **keywords):
    if set(keywords) - {"dtype", "optimize"}:
        raise TypeError(f"einsum() got an unexpected keyword {keywords}")
    return outside(np.einsum(*map(_deep, operands), **keywords), *operands)


def may_share_memory(a, b, max_work=None):
    return a._device == b._device and np.may_share_memory(inside(a), inside(b))


def waits(function):
    """Return a function whose result's shape depends on values."""

    def counted(*arguments, **keywords):
        waited()
        return function(*arguments, **keywords)

    return counted
