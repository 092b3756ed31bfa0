"""Half: vectors of float16 are computed with in float32, and rounded where they are stored.

So one step rounds each of its results once, on every machine, as PyTorch's fused updates do. Not
here: the kernel, which reads and writes float16 itself (`kernel.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minigrad import backend
from minigrad.backend import Array
from minigrad.fuse.blocks import BLOCK, cut
from minigrad.fuse.graph import Graph


def computed(dtype: Any) -> Any:
    """Return the dtype in which a formula computes with vectors of a dtype."""
    return backend.cpu.dtype("float32") if dtype.char == "e" else dtype


def run(
    machine: Any, graph: Graph, numbers: Sequence[float], pieces: Sequence[Sequence[Array]]
) -> None:
    """Let a machine run a graph over pieces of float16, block by block in buffers of float32."""
    wide = computed(pieces[0][0].dtype)
    width = min(BLOCK // wide.itemsize, max(piece[0].size for piece in pieces))
    buffers = [backend.cpu.empty_for((width,), wide) for _ in graph.inputs]
    read = [graph.inputs.index(name) for name in graph.reads]
    written = [graph.inputs.index(name) for name in graph.outputs]
    for block in cut(pieces, width):
        parts = [buffer[: block[0].size] for buffer in buffers]
        for k in read:
            parts[k][...] = block[k]
        machine.run(graph, numbers, [parts])
        for k in written:
            block[k][...] = parts[k]
