"""Results of a device as NumPy arrays, after a look at where they are, and their comparison."""

import numpy as np

import minigrad as mg
from minigrad import backend


def host(found, where, *dtypes):
    """Return a Tensor or an array of a device `where` as a NumPy array of one of the dtypes."""
    if found is None:
        return None
    array = found.data if isinstance(found, mg.Tensor) else found
    assert where == "cpu" or backend.is_array(array)
    assert backend.device_of(np.asarray(array) if where == "cpu" else array) == where
    assert not dtypes or array.dtype in dtypes
    return np.array(backend.of((array,)).to_host(array))


def equal(here, there, tolerance=1e-9):
    """Compare lists of arrays, some of which may be None on both sides."""
    assert len(here) == len(there)
    for a, b in zip(here, there, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            scale = max(1.0, float(np.abs(a).max(initial=0))) if a.dtype.kind == "f" else 1
            np.testing.assert_allclose(b, a, rtol=0, atol=tolerance * scale, strict=True)
