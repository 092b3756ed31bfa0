"""Run: which machine runs a graph, by where its vectors are, how long, and what is installed."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from minigrad import backend
from minigrad.backend import Array
from minigrad.fuse import blocks, half, kernel, loop, threads
from minigrad.fuse.graph import Graph


def run(
    graph: Graph,
    numbers: Sequence[float],
    pieces: Sequence[Sequence[Array]],
    compiled: bool = True,
) -> bool:
    """Run a graph over pieces: for each, the contiguous 1-D arrays that are its inputs.

    `numbers` are its scalars; all arrays have one dtype and are on one device. What is an output
    changes in place. Unless `compiled`, the loop of Numba is out of the question. False, with
    nothing done, if there is no kernel for it on the arrays' device.
    """
    first = pieces[0][0]
    if backend.of((first,)) is not backend.cpu:
        if not kernel.ready(graph, pieces[0]):
            return False
        kernel.run(graph, numbers, pieces)
        return True
    length = first.size if len(pieces) == 1 else sum(piece[0].size for piece in pieces)
    dtype = half.computed(first.dtype)
    machine: Any = loop if compiled and loop.ready(graph, length, dtype) else blocks
    work = machine.run if dtype == first.dtype else functools.partial(half.run, machine)
    if length < threads.SHARED or threads.count() == 1:
        work(graph, numbers, pieces)
    else:
        if work is blocks.run:
            work = functools.partial(work, block_bytes=blocks.SHARED_BLOCK)
        cuts = threads.cuts([piece[0].size for piece in pieces])
        parts = [[x[cut] for x in pieces[k]] for k, cut in cuts]
        threads.each(lambda part: work(graph, numbers, [part]), parts)
    return True


def run_rows(
    graph: Graph,
    numbers: Sequence[float],
    inputs: Sequence[Any],
    shape: tuple[int, int],
    columns: bool = False,
) -> None:
    """Run a graph over NumPy's matrices of a shape, and what is broadcast beside them.

    An input is such a matrix, a column of as many rows, a row, or a number; the outputs change in
    place. What a graph does to rows it does to `columns` in a compiled loop only, which is `ready`.
    """
    count, n = shape
    if columns:
        loop.rows(graph, numbers, inputs, shape, columns)
        return
    machine: Any = loop if loop.ready(graph, count * n, inputs[-1].dtype) else blocks
    if count * n < threads.SHARED or threads.count() == 1:
        machine.rows(graph, numbers, inputs, shape)
        return
    share = -(-count // (2 * threads.count()))
    starts = range(0, count, share)
    parts = [blocks.cut_rows(inputs, count, start, share) for start in starts]
    threads.each(lambda part: machine.rows(graph, numbers, part, (len(part[-1]), n)), parts)
