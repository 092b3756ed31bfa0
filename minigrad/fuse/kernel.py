"""Kernel: a graph as one CUDA kernel: every vector is read once, and written once.

The whole text is ours, with every type written out, and is compiled by CuPy's ``RawKernel``. So
what a test compiles without a GPU is, letter for letter, what runs on one. No header is included:
where CUDA's are differs by how it was installed.
"""

from __future__ import annotations

from collections.abc import Sequence

from minigrad import backend
from minigrad.backend import Array
from minigrad.fuse.graph import Graph
from minigrad.fuse.half import computed

TYPES = {"float16": "float", "float32": "float", "float64": "double"}  # of what is computed
# Products and sums are rounded one by one, as in NumPy. The kernel waits for memory, not for them.
OPTIONS = ("--fmad=false",)
_THREADS = 256
_LARGEST_GRID = 1 << 16

_TEXT = """\
typedef {dtype} F;
{half}#define select(c, a, b) ((c) ? (a) : (b))

extern "C" __global__ void update({arguments}) {{
    const long long step = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step) {{
{body}
    }}
}}
"""


# In memory a float16 is 16 bits and nothing more: one instruction of the processor reads them, and
# one rounds to them.
_HALF = """\
typedef unsigned short H;
__device__ F wide(H x) { F y; asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x)); return y; }
__device__ H half(F x) { H y; asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y) : "f"(x)); return y; }
"""


def source(graph: Graph, dtype: str) -> str:
    """Return the text of the kernel, in CUDA C++, for "float16", "float32" or "float64"."""
    half = dtype == "float16"
    kind, load, store = ("H", "wide({})", "half({})") if half else ("F", "{}", "{}")
    read = [graph.names[graph.inputs.index(name)] for name in graph.reads]
    written = {name: graph.names[graph.inputs.index(name)] for name in graph.outputs}
    lines = [f"const F {name} = {load.format(f'{name}_[i]')};" for name in read]
    for name, expression, boolean in graph.lines():
        lines.append(f"const {'bool' if boolean else 'F'} {name} = {expression};")
    for name, new in graph.outputs.items():
        lines.append(f"{written[name]}_[i] = {store.format(graph.name(new))};")
    vectors = [
        f"{'' if graph.inputs[k] in graph.outputs else 'const '}{kind}* {graph.names[k]}_"
        for k in graph.used
    ]
    scalars = [f"F c{k}" for k in range(graph.scalars)]
    arguments = ", ".join([*vectors, *scalars, "long long n"])
    body = "\n".join(f"        {line}" for line in lines)
    prelude = _HALF if half else ""
    return _TEXT.format(dtype=TYPES[dtype], half=prelude, arguments=arguments, body=body)


def ready(graph: Graph, arrays: Sequence[Array]) -> bool:
    """Say whether a kernel can be made of a graph for arrays such as these."""
    dtypes = {array.dtype.name for array in arrays}
    return len(dtypes) == 1 and dtypes <= TYPES.keys() and not graph.unspelled


def run(graph: Graph, numbers: Sequence[float], blocks: Sequence[Sequence[Array]]) -> None:
    """Launch the kernel of a graph that is `ready` on blocks of any length."""
    xp = backend.of(blocks[0])
    dtype = blocks[0][0].dtype
    key = ("kernel", dtype.name)
    kernel = graph.state.get(key)
    if kernel is None:
        kernel = xp.RawKernel(source(graph, dtype.name), "update", options=OPTIONS)
        graph.state[key] = kernel
    scalars = [computed(dtype).type(x) for x in numbers]
    used = graph.used
    with blocks[0][0].device:
        for block in blocks:
            length = block[0].size
            grid = min(-(-length // _THREADS), _LARGEST_GRID)
            if grid:
                vectors = [xp.ascontiguousarray(block[k]) for k in used]  # a constant gets memory
                kernel((grid,), (_THREADS,), (*vectors, *scalars, backend.cpu.int64(length)))
