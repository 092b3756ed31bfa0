"""The kernels of OpenBLAS: which of them run, and whether this processor has faster ones.

NumPy's wheels carry OpenBLAS with kernels for Haswell (AVX2) and SkylakeX (AVX-512). On a processor
with AVX-512 that it does not know by name, OpenBLAS takes Haswell's. The variable
``OPENBLAS_CORETYPE`` chooses others. It is read when the library is loaded, before any code here.

Nothing here imports NumPy; it looks at what the process has loaded.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VARIABLE = "OPENBLAS_CORETYPE"
_AVX512 = {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"}


@dataclass(frozen=True, slots=True)
class OpenBLAS:
    """The OpenBLAS that the process has loaded.

    Attributes:
        path: the library's file.
        kernels: the processor whose kernels run, such as ``"Haswell"``.
        build: what it says of how it was built, version first.
        threads: how many threads a product of matrices may use.
    """

    path: str
    kernels: str
    build: str
    threads: int


def openblas() -> OpenBLAS | None:
    """Return the OpenBLAS that NumPy loaded; None if there is none, or it cannot be asked."""
    for path in _libraries():
        try:
            import ctypes  # here, as a Python may have been built without it

            library = ctypes.CDLL(path)
        except (ImportError, OSError):
            continue
        kernels, build = _function(library, "corename"), _function(library, "config")
        threads = _function(library, "num_threads")
        if kernels is None or build is None or threads is None:
            continue
        kernels.restype = build.restype = ctypes.c_char_p
        name, text = kernels() or b"", build() or b""
        return OpenBLAS(path, name.decode(), " ".join(text.decode().split()), int(threads()))
    return None


def kernels() -> str:
    """Return the processor whose kernels multiply matrices here; ``"unknown"`` without OpenBLAS."""
    library = openblas()
    return (library and library.kernels) or "unknown"


def remedy(flags: Collection[str], blas: OpenBLAS | None) -> str:
    """Return the value of ``OPENBLAS_CORETYPE`` that chooses faster kernels, or nothing.

    `flags` are the processor's. There are faster ones if it has all of AVX-512 that the kernels for
    SkylakeX use, those for AVX2 run, and the library was built with more than one kind.
    """
    if blas is None or blas.kernels not in ("Haswell", "Zen"):
        return ""
    return "SkylakeX" if set(flags) >= _AVX512 and "DYNAMIC_ARCH" in blas.build else ""


def processor_flags() -> frozenset[str]:
    """Return the instruction sets of the processor, as Linux names them; elsewhere none."""
    return frozenset(_cpuinfo("flags").split())


def processor_name() -> str:
    """Return the processor's name; the empty string where the system does not say."""
    return _cpuinfo("model name")


def _cpuinfo(field: str) -> str:
    """Return what /proc/cpuinfo says of the first processor."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                name, _, value = line.partition(":")
                if name.strip() == field:
                    return value.strip()
    except OSError:
        pass
    return ""


def _libraries() -> list[str]:
    """Return the files that may be NumPy's OpenBLAS, those of its own wheel first."""
    try:
        text = Path("/proc/self/maps").read_text("utf-8", errors="replace")
        paths = {line.split(maxsplit=5)[-1] for line in text.splitlines() if "openblas" in line}
    except OSError:  # no Linux
        file = getattr(sys.modules.get("numpy"), "__file__", None)
        package = Path(file).parent if file else Path("nowhere")
        places = (package.with_name("numpy.libs"), package / ".dylibs")
        paths = {str(path) for place in places for path in place.glob("*openblas*")}
    return sorted(paths, key=lambda path: ("numpy" not in path, path))


def _function(library: Any, what: str) -> Any:
    """Return the function ``openblas_get_<what>`` under whichever name the build gave it."""
    for prefix in ("scipy_", ""):
        for suffix in ("64_", "", "_64"):
            found = getattr(library, f"{prefix}openblas_get_{what}{suffix}", None)
            if found is not None:
                return found
    return None
