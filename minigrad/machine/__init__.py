"""The machine below the arrays: memory, the C library's allocator, the BLAS's kernels and threads.

Floor 0, beside the backend. Nothing here imports an array library, or changes anything by being
imported.
"""

from minigrad.machine.tuning import Tuning, tune

__all__ = ["Tuning", "tune"]
