"""The machine below the arrays: the C library's allocator, and the kernels of the BLAS.

Floor 0, beside the backend. Nothing here imports an array library, or changes anything by being
imported.
"""

from minigrad.machine.allocator import Tuning, tune

__all__ = ["Tuning", "tune"]
