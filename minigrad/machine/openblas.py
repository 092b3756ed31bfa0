"""OpenBLAS: the library that multiplies NumPy's matrices, found in the process and asked.

Nothing here imports NumPy; it looks at what the process has loaded. What is to be done about its
kernels and its threads is in `kernels.py` and `spinning.py`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class OpenBLAS:
    """The OpenBLAS that the process has loaded.

    Attributes:
        path: the library's file.
        kernels: the processor whose kernels run, such as ``"Haswell"``.
        build: what it says of how it was built, version first.
        threads: how many threads a product of matrices may use.
        own_threads: whether these are its own, and not those of OpenMP.
    """

    path: str
    kernels: str
    build: str
    threads: int
    own_threads: bool = True


def openblas() -> OpenBLAS | None:
    """Return the OpenBLAS that NumPy loaded; None if there is none, or it cannot be asked."""
    for path in _libraries():
        try:
            import ctypes  # here, as a Python may have been built without it

            library = ctypes.CDLL(path)
        except (ImportError, OSError):
            continue
        kernels, build = _function(library, "corename"), _function(library, "config")
        threads, parallel = _function(library, "num_threads"), _function(library, "parallel")
        if kernels is None or build is None or threads is None:
            continue
        kernels.restype = build.restype = ctypes.c_char_p
        name, text = kernels() or b"", build() or b""
        own = parallel is not None and parallel() == 1
        return OpenBLAS(path, name.decode(), " ".join(text.decode().split()), int(threads()), own)
    return None


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
