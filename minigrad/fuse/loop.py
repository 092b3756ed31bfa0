"""Loop: a graph as one loop over the vector, compiled by Numba where that is installed.

This is the only file that imports Numba, and it does so when the first long vector, or the first
large matrix (`row_loop.py`), asks for it. The text of the loop is written into a folder of the
user's, beside which Numba keeps the machine code, so that a loop is compiled once for all runs. The
loop itself is serial and lets go of the interpreter's lock, so that threads of our own
(`threads.py`) can share a vector. Numba's may not be used from two threads, or after a fork, on
every machine.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from minigrad import backend
from minigrad.backend import Array
from minigrad.fuse import row_loop
from minigrad.fuse.graph import Graph

SHORTEST = 1 << 17  # elements; the loop costs an import and a compilation, which a few never repay
SMALLEST = 1 << 16  # elements of a matrix: there it gains more, the more passes NumPy makes

_numba: Any = None  # the module; False once it was found missing or unfit
_lock = threading.Lock()

_TEXT = """\
from math import erf, exp, expm1, fabs, log, log1p, sqrt, tanh

from numba import njit
from numpy import {dtype} as F, {names}


@njit
def select(c, a, b):
    return a if c else b
{plus}

def loop({arguments}):
{body}
"""


def source(graph: Graph, dtype: str, columns: bool = False) -> str:
    """Return the text of the loop, in Python, for vectors of "float32" or "float64".

    With `columns` the rows that a graph is of are the columns of matrices.
    """
    vectors = [f"{graph.names[k]}_" for k in graph.used]
    scalars = [f"c{k}" for k in range(graph.scalars)]
    sizes = ["m", "n"] if graph.shapes else []
    if graph.shapes:
        lines = list(row_loop.Loops(graph, columns).lines())
    else:
        lines = list(_body(graph, f"{vectors[0]}.size"))
    return _TEXT.format(
        dtype=dtype,
        names="empty, floor" if columns else "floor",
        plus=row_loop.PLUS if any("plus(" in line for line in lines) else "",
        arguments=", ".join([*vectors, *scalars, *sizes]),
        body="\n".join(f"    {line}" for line in lines),
    )


def _body(graph: Graph, size: str) -> Iterator[str]:
    """Yield the lines of the loop over vectors."""
    yield f"for i in range({size}):"
    for name in graph.reads:
        spelled = graph.names[graph.inputs.index(name)]
        yield f"    {spelled} = {spelled}_[i]"
    for name, expression, _ in graph.lines():
        yield f"    {name} = {expression}"
    for name, new in graph.outputs.items():
        yield f"    {graph.names[graph.inputs.index(name)]}_[i] = {graph.name(new)}"


def wanted(size: int) -> bool:
    """Say whether a matrix of so many elements is one for a loop, if there is a loop for it."""
    return size >= SMALLEST and _numba is not False and os.environ.get("MINIGRAD_FAST", "1") != "0"


def ready(graph: Graph, length: int, dtype: Any, columns: bool = False) -> bool:
    """Say whether the compiled loop is to run a graph over vectors of a length and dtype.

    Not for a graph that is run for the first time: a formula may do something else in each step.
    But at once for rows, whose sums differ from NumPy's in the last digit: what is computed must
    not depend on how often it was computed before.
    """
    if length < (SMALLEST if graph.shapes else SHORTEST):
        return False
    if _numba is False or dtype.char not in "fd":  # a name takes as long as a small operation
        return False
    if not dtype.isnative:  # Numba has no type for bytes in the other order
        return False
    kind = _kind(dtype, columns)
    if kind not in graph.state:
        if os.environ.get("MINIGRAD_FAST", "1") == "0":
            return False
        if not graph.shapes and "seen" not in graph.state:
            graph.state["seen"] = True
            return False
        with _lock:
            if kind not in graph.state:
                fits = row_loop.fits(graph) if graph.shapes else not graph.unspelled
                graph.state[kind] = _compiled(graph, dtype.name, columns) if fits else None
    return graph.state[kind] is not None


def run(graph: Graph, numbers: Sequence[float], blocks: Sequence[Sequence[Array]]) -> None:
    """Run a graph that is `ready` over blocks of any length; the outputs change in place."""
    dtype = blocks[0][0].dtype
    function = graph.state[dtype.char]
    scalars = [dtype.type(x) for x in numbers]
    whole = backend.cpu.ascontiguousarray  # a constant gets memory
    used = graph.used
    for block in blocks:
        function(*[whole(block[k]) for k in used], *scalars)


def _kind(dtype: Any, columns: bool) -> str:
    """Return under which name a graph keeps its loop."""
    return f"{dtype.char} columns" if columns else str(dtype.char)


def rows(
    graph: Graph,
    numbers: Sequence[float],
    inputs: Sequence[Any],
    shape: tuple[int, int],
    columns: bool = False,
) -> None:
    """Run a graph that is `ready` over the rows of matrices, as `blocks.rows` does, or columns."""
    dtype = inputs[-1].dtype
    scalars = [dtype.type(x) for x in numbers]
    matrices = [
        x if getattr(x, "ndim", 0) == 2 else backend.cpu.full((1, 1), x, dtype) for x in inputs
    ]
    function = graph.state[_kind(dtype, columns)]
    function(*[matrices[k] for k in graph.used], *scalars, *(shape[::-1] if columns else shape))


def _after_fork() -> None:
    """Forget the lock, which a thread that a forked process does not have may hold."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _compiled(graph: Graph, dtype: str, columns: bool) -> Callable[..., None] | None:
    """Return the machine code of a graph's loop, or None, with a warning, if there is none."""
    global _numba
    try:
        if _numba is None:
            import numba

            if getattr(numba.config, "DISABLE_JIT", 0):  # a loop would be Python's own
                _numba = False
                return None
            _numba = numba
        text = source(graph, dtype, columns)
        file = _written(text)
        try:
            return _function(graph, dtype, text, file)
        except Exception:
            if file is None:
                raise
            return _function(graph, dtype, text, None)  # what is on disk may be damaged, or full
    except ModuleNotFoundError as error:
        _numba = False
        if error.name != "numba":
            _warn(error)
        return None
    except Exception as error:  # whatever is wrong with it, the blocks compute the same
        _numba = False
        _warn(error)
        return None


def _function(graph: Graph, dtype: str, text: str, file: Path | None) -> Callable[..., None]:
    """Return the machine code of a text, which is kept beside its file if there is one."""
    module = ModuleType(_name(text))
    sys.modules[module.__name__] = module  # where Numba looks when it reads machine code back
    exec(compile(text, str(file or "<minigrad>"), "exec"), module.__dict__)
    jit = _numba.njit(cache=file is not None, nogil=True, error_model="numpy")
    function: Callable[..., None] = jit(module.loop)
    shape = (1, 1) if graph.shapes else (1,)
    one = backend.cpu.ones(shape, dtype)
    sizes = shape if graph.shapes else ()
    function(*[one.copy() for _ in graph.used], *[one.dtype.type(1)] * graph.scalars, *sizes)
    return function


def _warn(error: Exception) -> None:
    reason = str(error).strip().splitlines() or [type(error).__name__]
    warnings.warn(
        f"Numba is installed and cannot be used ({reason[0]}); NumPy computes instead. Try "
        "pip install --upgrade numba, or set MINIGRAD_FAST=0 to do without it",
        stacklevel=2,
    )


def folder() -> Path:
    """Return where compiled loops are kept: $MINIGRAD_CACHE_DIR, or the system's place for it."""
    given = os.environ.get("MINIGRAD_CACHE_DIR")
    if given:
        return Path(given) / "loops"
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "minigrad" / "loops"


def _name(text: str) -> str:
    return f"minigrad_loop_{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _written(text: str) -> Path | None:
    """Return the file that has this text, writing it whole or not at all; None if that fails."""
    try:
        file = folder() / f"{_name(text)}.py"
        if not file.is_file():
            file.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=file.parent, delete=False) as part:
                part.write(text)
            try:
                os.replace(part.name, file)
            except OSError:
                os.unlink(part.name)
                raise
        return file if os.access(file.parent, os.W_OK) else None
    except (OSError, RuntimeError):  # RuntimeError: there is no home
        return None
