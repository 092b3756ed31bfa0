"""The modes of a thread (recording the graph, looking for anomalies) and the errors that explain.

Floor 1.
"""

from __future__ import annotations

import inspect
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_PACKAGE = str(Path(__file__).parent)


class ShapeError(ValueError):
    """Operands whose shapes do not fit the operation."""


class AnomalyError(ArithmeticError):
    """The first NaN or infinity, found by `detect_anomaly`."""


class GraphError(RuntimeError):
    """A graph that cannot be differentiated: freed, changed since, or never recorded."""


# Modes -------------------------------------------------------------------------------------------


class _Mode(threading.local):
    """What this thread does beside computing: record the graph, look for anomalies."""

    recording = True
    anomaly = False


mode = _Mode()


@contextmanager
def _set(name: str, value: bool) -> Iterator[None]:
    before = getattr(mode, name)
    setattr(mode, name, value)
    try:
        yield
    finally:
        setattr(mode, name, before)


def no_grad() -> Any:
    """Compute without recording: a context manager, and a decorator."""
    return _set("recording", False)


def enable_grad() -> Any:
    """Record again inside `no_grad`: a context manager, and a decorator."""
    return _set("recording", True)


def is_grad_enabled() -> bool:
    """Say whether this thread records the graph."""
    return mode.recording


def detect_anomaly() -> Any:
    """Stop at the first NaN or infinity, forward or backward: a context manager, and a decorator.

    Raises AnomalyError with the operation that made it and the line of the user's code that called
    that operation. Every result is inspected, so computing is slower inside.
    """
    return _set("anomaly", True)


def user_line() -> str:
    """Return ``file:line (text)`` of the innermost caller outside this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    info = inspect.getframeinfo(frame)
    text = info.code_context[0].strip() if info.code_context else ""
    return f"{info.filename}:{info.lineno}" + (f" ({text})" if text else "")
