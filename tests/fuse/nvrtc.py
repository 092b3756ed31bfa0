"""NVIDIA's compiler from its wheel, called through ctypes: it needs no GPU and no driver."""

import ctypes
import functools
import site
import sys
from pathlib import Path

import pytest


@functools.cache
def library():
    """Return the compiler, or None if no wheel has brought it."""
    for folder in [*site.getsitepackages(), *sys.path]:
        for file in Path(folder).glob("nvidia/*/lib/libnvrtc.so.1?"):
            return ctypes.CDLL(str(file))
    return None


def compiled(source, architecture):
    """Return the machine code of a kernel; raise ValueError with what the compiler says."""
    nvrtc = library()
    if nvrtc is None:
        pytest.skip("needs the extra cuda-test: pip install minigrad[cuda-test]")
    program, size = ctypes.c_void_p(), ctypes.c_size_t()
    text = source.encode()
    nvrtc.nvrtcCreateProgram(ctypes.byref(program), text, b"update.cu", 0, None, None)
    options = [f"--gpu-architecture={architecture}".encode(), b"--fmad=false"]
    failed = nvrtc.nvrtcCompileProgram(program, 2, (ctypes.c_char_p * 2)(*options))
    what = "ProgramLog" if failed else "CUBIN"
    getattr(nvrtc, f"nvrtcGet{what}Size")(program, ctypes.byref(size))
    result = ctypes.create_string_buffer(size.value)
    getattr(nvrtc, f"nvrtcGet{what}")(program, result)
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    if failed:
        raise ValueError(result.value.decode())
    return result.raw
