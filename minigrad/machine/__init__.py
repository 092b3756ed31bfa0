"""The machine below the arrays: the C library's allocator; the kernels and threads of the BLAS.

Floor 0, beside the backend. Nothing here imports an array library, or changes anything by being
imported.
"""

from minigrad.machine.tuning import Tuning, tune

__all__ = ["Tuning", "tune"]
