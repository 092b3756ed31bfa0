"""Indices as CuPy takes them: what wraps around, what waits, and what it leaves undefined."""

import numpy as np

from tests.fake_cupy.account import counts, waited


def parts_of(index, shape, unwrap, kind):
    """Return an index as NumPy takes it; integers in arrays wrap around, as in CuPy.

    `kind` is the class of the device's arrays, `unwrap` gives the NumPy array of one.
    """
    parts = index if type(index) is tuple else (index,)
    for part in parts:
        if isinstance(part, np.ndarray):
            raise TypeError(f"Unsupported type {type(part)}")
        if isinstance(part, list):
            counts["to device"] += 1
    if not any(type(p) is kind for p in parts):
        return tuple(parts)
    spare = len(shape) - sum(
        p.ndim if type(p) is kind and p.dtype == bool else p is not None and p is not ...
        for p in parts
    )
    result, axis = [], 0
    for part in parts:
        if part is ...:
            axis += spare
        elif type(part) is kind:
            array = unwrap(part)
            if array.dtype.kind not in "iub":
                raise IndexError(f"arrays used as indices are of integers, not {array.dtype}")
            if array.dtype == bool:
                waited()  # for the number of what is true, to read or to write
                axis += array.ndim
            else:
                if array.size and axis < len(shape) and shape[axis]:
                    array = array % shape[axis]
                axis += 1
            part = array
        elif part is not None:
            axis += 1
        result.append(part)
    return tuple(result)


def assign(array, parts, value):
    """Set elements; refuse to set one to two values, of which CuPy keeps either."""
    if any(isinstance(p, (list, np.ndarray)) for p in parts):
        places = np.arange(array.size).reshape(array.shape)[parts].ravel()
        given = np.broadcast_to(np.asarray(value), array[parts].shape).ravel()
        order = np.argsort(places, kind="stable")
        places, given = places[order], given[order]
        twice = places[1:] == places[:-1]
        same = (given[1:] == given[:-1]) | ((given[1:] != given[1:]) & (given[:-1] != given[:-1]))
        assert same[twice].all(), "one element is set to two values: CuPy keeps either"
    array[parts] = value
