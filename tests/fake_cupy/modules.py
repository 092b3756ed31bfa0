"""The fake's modules: CuPy's names and no others, each from the file where its kind lives.

Where the two libraries differ in what they do, `functions.py`, `linalg.py` or `cuda.py` has a
function; all else follows from `names.json`.
"""

import json
import sys
import types
from pathlib import Path

import numpy as np

from tests.fake_cupy import cuda, functions, linalg
from tests.fake_cupy.account import (
    DeviceSynchronized,
    OutOfMemoryError,
    allow_synchronize,
    use_device,
)
from tests.fake_cupy.arrays import attach_methods, ndarray
from tests.fake_cupy.kernels import raw_kernel

NAMES = json.loads(Path(__file__).with_name("names.json").read_text())["names"]
attach_methods(NAMES["cupy.ndarray"])
compute_types = {}

OURS = {
    "cupy": {
        "ndarray": ndarray, "RawKernel": raw_kernel,
        "get_default_memory_pool": lambda: cuda.device_pool,
        "get_default_pinned_memory_pool": lambda: cuda.pinned_pool,
        **{f.__name__: f for f in (
            functions.array, functions.argsort, functions.asarray, functions.ascontiguousarray,
            functions.asnumpy, functions.clip, functions.copyto, functions.dot, functions.einsum,
            functions.empty, functions.empty_like,
            functions.from_dlpack, functions.may_share_memory, functions.sum, functions.take,
            functions.where,
        )},
    },
    "cupy.linalg": {
        "solve": linalg.solve, "inv": linalg.inv, "cholesky": linalg.cholesky,
        "LinAlgError": np.linalg.LinAlgError,
    },
    "cupy.random": {
        "Generator": cuda.Generator, "default_rng": cuda.Generator, "random": cuda.random,
    },
    "cupy.cuda": {
        "Device": cuda.Device, "Stream": cuda.Stream, "Event": cuda.Event, "runtime": cuda.runtime,
        "get_current_stream": lambda: cuda.Stream(null=True),
    },
    "cupyx.scipy.special": {"erf": functions.erf},
    "cupyx": {
        "scatter_add": functions.scatter_add, "allow_synchronize": allow_synchronize,
        "DeviceSynchronized": DeviceSynchronized, "errstate": linalg.errstate,
        "empty_pinned": lambda shape, dtype=float, order="C": np.empty(shape, dtype, order),
    },
}  # fmt: skip
WAITING = ("nonzero", "flatnonzero", "argwhere", "unique", "bincount")


def _module(name, numpys=None):
    """Return a module with those of CuPy's names that are here or in NumPy."""
    module = types.ModuleType(name)
    ours = OURS.get(name, {})
    for key, described in NAMES[name].items():
        theirs = getattr(numpys, key, None)
        if key in ours:
            value = ours[key]
        elif theirs is None:
            continue
        elif described == "value":
            value = theirs
        elif isinstance(theirs, np.ufunc):
            value = functions.UFunc(key, "ufunc", theirs)
        else:
            value = functions.Function(key, described, theirs)
            value = functions.waits(value) if key in WAITING else value
        setattr(module, key, value)
    for key in ours.keys() - NAMES[name].keys():
        if key != "runtime":
            raise AttributeError(f"{name} has no {key}")
    if "runtime" in ours:
        module.runtime = ours["runtime"]
    return module


def install(put=sys.modules.__setitem__):
    """Make ``import cupy`` find the fake: ``put(name, module)`` for each module of it."""
    import scipy.special

    use_device(0)
    cupy = _module("cupy", np)
    cupy.__version__, cupy.newaxis = "14.2.0", None
    for name, numpys in (("linalg", np.linalg), ("random", None), ("cuda", None)):
        module = _module(f"cupy.{name}", numpys)
        setattr(cupy, name, module)
        put(f"cupy.{name}", module)
    cupy.cuda.memory = types.SimpleNamespace(OutOfMemoryError=OutOfMemoryError)
    core = types.ModuleType("cupy._core")
    core.set_compute_type = compute_types.__setitem__
    core._routines_linalg = types.ModuleType("cupy._core._routines_linalg")
    core._routines_linalg.COMPUTE_TYPE_DEFAULT = "default"
    core._routines_linalg.COMPUTE_TYPE_TF32 = "TF32"
    put("cupy._core", core)
    put("cupy._core._routines_linalg", core._routines_linalg)
    cupyx = _module("cupyx")
    cupyx.scipy = types.ModuleType("cupyx.scipy")
    cupyx.scipy.special = _module("cupyx.scipy.special", scipy.special)
    put("cupy", cupy)
    put("cupyx", cupyx)
    put("cupyx.scipy", cupyx.scipy)
    put("cupyx.scipy.special", cupyx.scipy.special)
