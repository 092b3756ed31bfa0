"""The fake's cuBLAS: its functions take addresses, as the real ones do, and read what is there.

So an array that is not contiguous where CuPy's text thinks it is gives wrong numbers here too. Only
what CuPy's sparse solvers call is here, in float32 and float64.
"""

import ctypes
import types

import numpy as np


def numbers(address, count, dtype):
    """Return the array that lies at an address."""
    memory = (ctypes.c_char * (count * np.dtype(dtype).itemsize)).from_address(address)
    return np.frombuffer(memory, dtype)


def _dot(dtype):
    def dot(handle, n, x, incx, y, incy, result):
        assert incx == incy == 1
        numbers(result, 1, dtype)[0] = numbers(x, n, dtype) @ numbers(y, n, dtype)

    return dot


def _nrm2(dtype):
    def nrm2(handle, n, x, incx, result):
        assert incx == 1
        numbers(result, 1, dtype)[0] = np.linalg.norm(numbers(x, n, dtype))

    return nrm2


def _axpy(dtype):
    def axpy(handle, n, alpha, x, incx, y, incy):
        assert incx == incy == 1
        factor = numbers(alpha, 1, dtype)[0]
        if (
            factor
        ):  # else the BLAS does not read x, and CuPy's Lanczos hands over what was never set
            numbers(y, n, dtype)[:] += factor * numbers(x, n, dtype)

    return axpy


def _gemv(dtype):
    def gemv(handle, trans, m, n, alpha, a, lda, x, incx, beta, y, incy):
        assert incx == incy == 1
        assert lda == m
        matrix = numbers(a, m * n, dtype).reshape(n, m)  # the columns, one after the other
        matrix = matrix.T if trans == CUBLAS["CUBLAS_OP_N"] else matrix
        rows, columns = matrix.shape
        product = numbers(alpha, 1, dtype)[0] * (matrix @ numbers(x, columns, dtype))
        factor, out = numbers(beta, 1, dtype)[0], numbers(y, rows, dtype)
        out[:] = product if factor == 0 else product + factor * out

    return gemv


CUBLAS = {
    "CUBLAS_OP_N": 0, "CUBLAS_OP_T": 1, "CUBLAS_OP_C": 2, "CUBLAS_POINTER_MODE_HOST": 0,
    "CUBLAS_POINTER_MODE_DEVICE": 1,
}  # fmt: skip


def library():
    """Return the module ``cupy_backends.cuda.libs.cublas``."""
    module = types.ModuleType("cupy_backends.cuda.libs.cublas")
    mode = [0]
    vars(module).update(CUBLAS)
    module.getPointerMode = lambda handle: mode[0]
    module.setPointerMode = lambda handle, new: mode.__setitem__(0, new)
    for letter, dtype in (("s", "float32"), ("d", "float64")):
        for name, make in (("dot", _dot), ("nrm2", _nrm2), ("axpy", _axpy), ("gemv", _gemv)):
            setattr(module, letter + name, make(dtype))
    return module
