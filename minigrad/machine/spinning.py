"""Spinning: how long the threads of OpenBLAS keep their cores after a product of matrices.

They wait for the next product in a loop, by default for 2²⁶ ticks of the processor's clock, some
30 ms. Who computes with threads of his own meanwhile, such as an update of millions of parameters,
shares his cores with threads that do nothing. After 2²² ticks, some 2 ms, they are out of the way,
and between the products of one network they still wait.

The variable ``OPENBLAS_THREAD_TIMEOUT`` says how long. OpenBLAS reads it when it is loaded, and its
threads are told when they start. So to change it, the library is let read its environment again,
and its threads are ended, as each fork of the process ends them; the next product starts new ones.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import Any

from minigrad.machine.openblas import openblas

VARIABLE = "OPENBLAS_THREAD_TIMEOUT"
SHORT = 22  # the ticks' logarithm to base 2; with 18 a product of the next layer wakes them anew

_shortened = False


def shorten() -> str:
    """Let OpenBLAS' threads spin for 2²² ticks from now on; return why not, if they do not.

    Nothing is done where the user has set the variable, or where other threads of Python run: one
    that multiplies matrices just then would wait for ever. A second call changes nothing.
    """
    global _shortened
    if _shortened:
        return ""
    library, reason = _find()
    if reason:
        return reason
    os.environ[VARIABLE] = str(SHORT)
    try:
        library.openblas_read_env()
    finally:
        del os.environ[VARIABLE]  # a child of this process starts as it would have
    library.blas_thread_shutdown_()
    _shortened = True
    return ""


def obstacle() -> str:
    """Return why OpenBLAS' threads cannot be told to spin for less, or nothing."""
    return _find()[1]


def _find() -> tuple[Any, str]:
    """Return the library that can be told, or why there is none."""
    if VARIABLE in os.environ:
        return None, f"{VARIABLE} is set"
    blas = openblas() if sys.platform == "linux" else None
    if blas is None or not blas.own_threads:
        return None, "no OpenBLAS with threads of its own"
    if blas.threads < 2:
        return None, "OpenBLAS has one thread"
    if threading.active_count() > 1:
        return None, "other threads run"
    import ctypes

    library = ctypes.CDLL(blas.path)
    if hasattr(library, "openblas_read_env") and hasattr(library, "blas_thread_shutdown_"):
        return library, ""
    return None, "this OpenBLAS cannot be told"
