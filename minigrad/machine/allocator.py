"""The allocator: lets the C library keep the memory of large arrays, where it would give it back.

glibc maps each block of 128 KiB or more anew from the system and unmaps it when it is freed, and it
returns what is free at the end of its heap. Every page of memory that comes from the system is
cleared by it and costs a fault when it is first touched. A temporary array pays that each time.

What is not here: how much there is to gain on this machine, which ``minigrad doctor`` measures.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass

# The names of <malloc.h> that are used, and glibc's default for both thresholds.
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
_DEFAULT = 128 * 1024
_VARIABLES = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_MAX_")


@dataclass(frozen=True, slots=True)
class Kept:
    """What `keep` did. Thresholds are in bytes; ``math.inf`` stands for "never".

    Attributes:
        allocator: the C library's name and version, such as ``"glibc 2.36"``.
        applied: whether the thresholds are raised now.
        mapped_from: the size from which a block is mapped, before and after.
        trimmed_from: how much must be free at the heap's end to be given back, before and after.
        reason: why nothing was done; empty if `applied`.

    "Before" is what the process started with. glibc raises its thresholds by itself as blocks are
    freed (up to 32 MiB for a mapped block), and does not tell how far. If not `applied`, both are
    None.
    """

    allocator: str
    applied: bool
    mapped_from: tuple[float, float] | None
    trimmed_from: tuple[float, float] | None
    reason: str = ""

    def __str__(self) -> str:
        """Return it as one line."""
        if self.mapped_from is None or self.trimmed_from is None:
            return f"{self.allocator}: {self.reason}"
        mapped, trimmed = (
            size(before) if before == after else f"{size(before)} → {size(after)}"
            for before, after in (self.mapped_from, self.trimmed_from)
        )
        return f"{self.allocator}: blocks mapped from {mapped}, memory given back from {trimmed}"


def keep() -> Kept:
    """Let the C library keep the memory of large arrays for the next ones; return what was done.

    It sets two parameters of glibc's malloc for the whole process, until it ends: no block is
    mapped for itself (``M_MMAP_MAX = 0``), and nothing is given back to the system
    (``M_TRIM_THRESHOLD = -1``). An array then gets memory that is there already, without a page
    fault. It costs memory: what was once in use stays with the process, and holes between blocks
    may add some. docs/performance.md has figures for both.

    Call it at the start of a program, before large arrays are made. A second call changes nothing.
    It serves the thread that Python starts in, and other threads for arrays of up to some 30 MiB.
    Where there is no glibc (musl, macOS, Windows), or another allocator took malloc's place, it
    does nothing, and the result says so. It never raises.

    Source: mallopt(3), https://man7.org/linux/man-pages/man3/mallopt.3.html.
    """
    global _kept
    allocator, reason = identify()
    if reason:
        return Kept(allocator, False, None, None, reason)
    before = (math.inf, math.inf) if _kept else starting_thresholds(os.environ)
    import ctypes

    mallopt = ctypes.CDLL(None).mallopt
    _kept = bool(mallopt(_M_MMAP_MAX, 0)) and bool(mallopt(_M_TRIM_THRESHOLD, -1))
    if _kept:
        return Kept(allocator, True, (before[0], math.inf), (before[1], math.inf))
    return Kept(allocator, False, None, None, "mallopt refused the values")


_kept = False


def identify() -> tuple[str, str]:
    """Return the name of the C library, and why its malloc cannot be tuned, if it cannot."""
    try:
        name = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, ValueError, OSError):
        name = ""
    if not name.startswith("glibc"):
        return "not glibc", "nothing to tune"
    try:
        import ctypes  # here, as a Python may have been built without it

        in_use = ctypes.cast(ctypes.CDLL(None).malloc, ctypes.c_void_p).value
        own = ctypes.cast(ctypes.CDLL("libc.so.6").malloc, ctypes.c_void_p).value
    except (ImportError, AttributeError, OSError):
        return name, "its malloc cannot be found, nothing tuned"
    return name, "" if in_use == own else "another allocator took malloc's place, nothing tuned"


def chosen(environment: Mapping[str, str]) -> bool:
    """Say whether the user has set glibc's thresholds in the environment."""
    tunables = environment.get("GLIBC_TUNABLES", "")
    return "glibc.malloc" in tunables or any(name in environment for name in _VARIABLES)


def starting_thresholds(environment: Mapping[str, str]) -> tuple[float, float]:
    """Return the thresholds (mapped, trimmed) that glibc starts with in an environment."""
    pairs = (part.partition("=") for part in environment.get("GLIBC_TUNABLES", "").split(":"))
    tunables = {key.removeprefix("glibc.malloc."): value for key, _, value in pairs}

    def value(variable: str, tunable: str, default: int) -> float:
        text = environment.get(variable) or tunables.get(tunable, "")
        try:
            number = int(text, 0)
        except ValueError:
            return default
        return number if number >= 0 else math.inf

    mapped = value("MALLOC_MMAP_THRESHOLD_", "mmap_threshold", _DEFAULT)
    if value("MALLOC_MMAP_MAX_", "mmap_max", 1) == 0:
        mapped = math.inf
    return mapped, value("MALLOC_TRIM_THRESHOLD_", "trim_threshold", _DEFAULT)


def size(number: float) -> str:
    """Return a number of bytes in words."""
    if number == math.inf:
        return "never"
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if number < 1024 or unit == "GiB":
            return f"{number:g} {unit}"
        number /= 1024
    raise AssertionError
