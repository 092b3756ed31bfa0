"""CuPy's own sparse solvers on the fake: their text as it is installed, run with the fake's arrays.

What CuPy wrote in Python (`SOURCES`) is read from its package and executed here; what it wrote in
C++, or takes from CUDA, is the fake's. There are no sparse matrices: only operators and arrays.
"""

import importlib.machinery
import sys
import types
from pathlib import Path

from tests.fake_cupy import blas

SOURCES = (
    "cupy.cublas", "cupyx.scipy.sparse._util", "cupyx.scipy.sparse.linalg._interface",
    "cupyx.scipy.sparse.linalg._iterative", "cupyx.scipy.sparse.linalg._eigen",
    "cupyx.scipy.sparse.linalg._solve", "cupyx.scipy.sparse.linalg._lobpcg",
)  # fmt: skip
PUBLIC = {
    "_interface": ("LinearOperator", "aslinearoperator"),
    "_iterative": ("cg", "gmres", "cgs", "bicgstab"),
    "_eigen": ("eigsh", "svds"),
    "_solve": ("minres", "lsmr"),
    "_lobpcg": ("lobpcg",),
}


def _folder(package):
    spec = importlib.machinery.PathFinder.find_spec(package)
    return None if spec is None else Path(spec.submodule_search_locations[0])


def installed():
    """Say whether the text of the solvers is there to be read."""
    return _folder("cupyx") is not None


class Normalize:
    """The one elementwise kernel of the solvers, by its name: the text is CUDA's."""

    def __init__(self, given, results, text, name):
        assert name == "cupy_eigsh_normalize"

    def __call__(self, u, beta, i, n, v, V):
        v[...] = u / beta[i]
        V[i + 1] = v


def _stub(put, name, **values):
    """Make a module of a few names, and a name of the module above."""
    module = sys.modules.get(name)
    if module is None:
        module = types.ModuleType(name)
        put(name, module)
        above, _, own = name.rpartition(".")
        if above:
            setattr(_stub(put, above), own, module)
    vars(module).update(values)
    return module


def install(put):
    """Add the solvers to the fake that is installed; return ``cupyx.scipy.sparse.linalg``."""
    cupy = sys.modules["cupy"]
    cupy.ElementwiseKernel = Normalize
    put("cupy_backends.cuda.libs.cublas", blas.library())
    _stub(put, "cupy_backends.cuda.libs", cublas=sys.modules["cupy_backends.cuda.libs.cublas"])
    _stub(put, "cupy_backends.cuda.libs.cusparse")
    _stub(put, "cupy.cuda.device", get_cublas_handle=lambda: 0)
    _stub(put, "cupy._core._dtype")
    _stub(put, "cupy._core.core", ndarray=cupy.ndarray)
    _stub(put, "cupy.linalg._util")
    _stub(put, "cupyx.cusparse")
    linalg = _stub(put, "cupyx.scipy.sparse.linalg")
    no = lambda matrix: False  # noqa: E731
    _stub(put, "cupyx.scipy.sparse._csr", _is_csr=no)
    _stub(put, "cupyx.scipy.sparse", issparse=no, isspmatrix=no, linalg=linalg)
    for name in SOURCES:
        package, *parts = name.split(".")
        file = _folder(package).joinpath(*parts).with_suffix(".py")
        exec(compile(file.read_text(), str(file), "exec"), vars(_stub(put, name)))
        for public in PUBLIC.get(parts[-1], ()):
            setattr(linalg, public, getattr(sys.modules[name], public))
    return linalg
