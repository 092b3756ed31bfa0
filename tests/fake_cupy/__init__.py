"""A strict stand-in for CuPy, on NumPy: what CuPy refuses, it refuses; what waits, it counts.

It is for tests on machines without a GPU. It computes with NumPy and says nothing of speed. Its
arrays hide the NumPy array they keep (`arrays.py`); its modules have the names that `names.json`
lists and no others (`modules.py`). The list is CuPy's own, written by `record.py`, and
`tests/cuda/test_fake.py` holds it to the real package wherever that is installed.

`install` puts the modules where ``import cupy`` finds them; `tests/cuda/conftest.py` does, for the
tests that ask for a device.
"""

from tests.fake_cupy.account import counts
from tests.fake_cupy.arrays import ndarray
from tests.fake_cupy.modules import install

__all__ = ["counts", "install", "ndarray"]
