"""Spinning: how long the threads of OpenBLAS keep their cores after a product of matrices.

They wait for the next product in a loop, by default for 2²⁸ ticks of the processor's clock, some
100 ms. Who computes with threads of his own meanwhile, such as an update of millions of parameters,
shares his cores with threads that do nothing. After 2²² ticks, some 2 ms, they are out of the way,
and between the products of one network they still wait.

The variable ``OPENBLAS_THREAD_TIMEOUT`` says how long. OpenBLAS reads it when it is loaded, and its
threads are told when they start. So to change it, the library is let read its environment again,
and its threads are ended, as each fork of the process ends them; the next product starts new ones.
From NumPy 2.5 on the functions for that are hidden, and only the variable is left.
"""

from __future__ import annotations

import os
import sys
import threading

from minigrad.machine.openblas import OpenBLAS, openblas

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
    blas = openblas()
    reason = obstacle(blas)
    if blas is None or reason:
        return reason
    if threading.active_count() > 1:
        return "other threads run"
    import ctypes

    library = ctypes.CDLL(blas.path)
    if not (hasattr(library, "openblas_read_env") and hasattr(library, "blas_thread_shutdown_")):
        return f"this OpenBLAS reads {VARIABLE} when it is loaded, and never again"
    os.environ[VARIABLE] = str(SHORT)
    try:
        library.openblas_read_env()
    finally:
        del os.environ[VARIABLE]  # a child of this process starts as it would have
    library.blas_thread_shutdown_()
    _shortened = True
    return ""


def obstacle(blas: OpenBLAS | None) -> str:
    """Return why the variable would change nothing here, or must not; the empty string if not."""
    if VARIABLE in os.environ:
        return f"{VARIABLE} is set"
    if blas is None or not blas.own_threads or sys.platform != "linux":
        return "no OpenBLAS with threads of its own"
    return "OpenBLAS has one thread" if blas.threads < 2 else ""
