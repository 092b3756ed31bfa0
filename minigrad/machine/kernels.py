"""The kernels of OpenBLAS: which of them run, and whether this processor has faster ones.

NumPy's wheels carry OpenBLAS with kernels for Haswell (AVX2) and SkylakeX (AVX-512). On a processor
with AVX-512 that it does not know by name, OpenBLAS takes Haswell's. The variable
``OPENBLAS_CORETYPE`` chooses others. It is read when the library is loaded, before any code here.
"""

from __future__ import annotations

from collections.abc import Collection

from minigrad.machine.openblas import OpenBLAS, openblas

VARIABLE = "OPENBLAS_CORETYPE"
_AVX512 = {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"}


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
