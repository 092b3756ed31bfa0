"""Run: which machine runs a graph, by where its vectors are, how long, and what is installed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from minigrad import backend
from minigrad.backend import Array
from minigrad.fuse import blocks, kernel, loop
from minigrad.fuse.graph import Graph

# Bytes of a block (65,536 elements of float32): a block and its buffers stay in the cache of one
# core (1 MiB on the machines of today), and the calls to NumPy are few.
BLOCK = 262_144


def run(graph: Graph, numbers: Sequence[float], pieces: Sequence[Sequence[Array]]) -> bool:
    """Run a graph over pieces: for each, the contiguous 1-D arrays that are its inputs.

    `numbers` are its scalars; all arrays have one dtype and are on one device. What is an output
    changes in place. False, with nothing done, if there is no kernel for it on the arrays' device.
    """
    first = pieces[0][0]
    if backend.of((first,)) is not backend.cpu:
        if not kernel.ready(graph, pieces[0]):
            return False
        kernel.run(graph, numbers, pieces)
        return True
    length = first.size if len(pieces) == 1 else sum(piece[0].size for piece in pieces)
    if loop.ready(graph, length, first.dtype):
        loop.run(graph, numbers, pieces)
    else:
        blocks.run(graph, numbers, list(cut(pieces)))
    return True


def cut(pieces: Sequence[Sequence[Array]]) -> Iterator[Sequence[Array]]:
    """Yield pieces that are no larger than a block, without a copy."""
    for piece in pieces:
        size, largest = piece[0].size, BLOCK // piece[0].itemsize
        if size <= largest:
            yield piece
            continue
        width = -(-size // -(-size // largest))
        for start in range(0, size, width):
            yield [array[start : start + width] for array in piece]
