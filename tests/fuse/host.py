"""CUDA's texts run on the CPU: a compiler of C++ reads them, and loops stand for the threads.

What NVRTC compiles it does not run. Here the same letters run, one thread after the other, which
shows what they compute, and that each element is somebody's and nobody else's.
"""

import ctypes
import re
import shutil
import subprocess

import numpy as np
import pytest

PRELUDE = """
#include <cmath>
using std::exp; using std::expm1; using std::fabs; using std::floor; using std::log;
using std::log1p; using std::pow; using std::sqrt; using std::tanh;
#define __global__
#define __device__ static
struct Index { unsigned x; };
static Index blockIdx, threadIdx, gridDim, blockDim;
"""
RUN = """
extern "C" void run{i}(unsigned grid, unsigned block, {arguments}) {{
    gridDim.x = grid, blockDim.x = block;
    for (blockIdx.x = 0; blockIdx.x < grid; ++blockIdx.x)
        for (threadIdx.x = 0; threadIdx.x < block; ++threadIdx.x) kernel{i}({names});
}}
"""
# The two instructions of the GPU's processor that a text contains, as C++ of this one.
PTX = {
    'asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x))': "y = reinterpret_cast<_Float16&>(x)",
    'asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y) : "f"(x))': "reinterpret_cast<_Float16&>(y) = x",
}
NUMBERS = {"float": ctypes.c_float, "double": ctypes.c_double, "long long": ctypes.c_longlong}


def compiled(sources, name, folder):
    """Return functions (grid, block, arguments) of texts that each define the kernel `name`."""
    compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("needs a compiler of C++, such as g++")
    texts = [PRELUDE]
    for i, source in enumerate(sources):
        declared = re.search(rf"void {name}\((.*?)\)", source, re.DOTALL)[1]
        number = (re.search(r"typedef (\w+) F;", source) or [0, "float"])[1]
        source = source.replace(f"void {name}(", f"void kernel{i}(")
        for instruction, plain in PTX.items():
            source = source.replace(instruction, plain)
        arguments = re.sub(r"\bF\b", number, " ".join(declared.split()))
        arguments = re.sub(r"\bH\b", "unsigned short", arguments)
        names = ", ".join(argument.rsplit(" ", 1)[1] for argument in declared.split(","))
        run = RUN.format(i=i, arguments=arguments, names=names.replace("*", ""))
        texts.append(f"namespace text{i} {{\n{source}\n{run}\n}}\n")
    (folder / "texts.cpp").write_text("\n".join(texts))
    command = [compiler, "-std=c++17", "-O1", "-ffp-contract=off", "-shared", "-fPIC"]
    subprocess.run([*command, "-o", "texts.so", "texts.cpp"], cwd=folder, check=True)
    library = ctypes.CDLL(str(folder / "texts.so"))
    return [launcher(getattr(library, f"run{i}")) for i in range(len(sources))]


def launcher(function):
    def launch(grid, block, arguments):
        given = [
            ctypes.c_void_p(x.ctypes.data)
            if isinstance(x, np.ndarray)
            else NUMBERS[{"f": "float", "d": "double"}.get(x.dtype.char, "long long")](x)
            for x in arguments
        ]
        function(ctypes.c_uint(grid), ctypes.c_uint(block), *given)

    return launch
