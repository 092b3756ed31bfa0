"""Arrays of other libraries as tensors, on the same memory.

Floor 1. The other way, what a tensor shows to other libraries, is a method of `Tensor`.
"""

from __future__ import annotations

from typing import Any

from minigrad import backend
from minigrad.backend import DeviceError
from minigrad.tensor import Tensor, legal_dtype

_DLPACK_CPU, _DLPACK_CUDA = 1, 2  # DLPack's numbers for kinds of devices


def from_dlpack(x: Any) -> Tensor:
    """Return a tensor on the memory of another library's array, on its device, without a copy.

    `x` is any array with ``__dlpack__`` and ``__dlpack_device__``: PyTorch's, JAX's, CuPy's, …; the
    other way, ``torch.from_dlpack(tensor)`` takes a tensor of this library. What one side writes
    the other sees, which no graph notices: `Tensor.modified` notes it. With NumPy 2.0 the tensor
    can only read memory of the CPU; from 2.1 on it can write there, too.

    Raises TypeError for what is no such array or of another dtype, DeviceError for a device that
    is not there, BufferError for what its library does not hand over (if it requires a gradient).
    """
    if not hasattr(x, "__dlpack_device__") or not hasattr(x, "__dlpack__"):
        raise TypeError(
            f"from_dlpack: a {type(x).__name__} has no __dlpack__; try mg.tensor(x), which copies"
        )
    kind, number = map(int, x.__dlpack_device__())
    if kind not in (_DLPACK_CPU, _DLPACK_CUDA):
        raise DeviceError(
            f"from_dlpack: an array on a device of DLPack's kind {kind}; legal are the CPU "
            f"({_DLPACK_CPU}) and CUDA ({_DLPACK_CUDA})"
        )
    xp = backend.get("cpu" if kind == _DLPACK_CPU else f"cuda:{number}")
    try:
        array = xp.from_dlpack(x)
    except (RuntimeError, BufferError) as error:
        if "dtype" not in str(error) and "type" not in str(error):
            raise
        raise TypeError(
            f"from_dlpack: {getattr(x, 'dtype', 'its dtype')} is not known here ({error}); "
            "convert it to float32 first"
        ) from None
    legal_dtype(array.dtype)
    return Tensor.of(array)
