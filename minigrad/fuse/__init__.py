"""Fuse: a formula of elementwise operations, traced into a graph and run as one pass over memory.

Floor 0, above the backend alone. A formula is called with symbols (`symbol.py`); what it did is a
graph (`graph.py`), which is run on NumPy block by block (`blocks.py`), with Numba as one compiled
loop (`loop.py`, of rows `row_loop.py`), on CuPy as one kernel (`kernel.py`); of float16 all compute
in float32 (`half.py`). `run.py` chooses, and shares a long vector among threads (`threads.py`);
`chain.py` asks it for the elementwise operations of `ops/` and their derivatives, `rows.py` for
those that reduce rows, norms and softmax. Not here: what the formulas are (`ops/`, `optim/`) and
where the vectors come from.
"""

from minigrad.fuse.blocks import BLOCK
from minigrad.fuse.blocks import source as block_source
from minigrad.fuse.graph import Graph, Instruction
from minigrad.fuse.half import computed
from minigrad.fuse.kernel import source as kernel_source
from minigrad.fuse.loop import source as loop_source
from minigrad.fuse.run import run
from minigrad.fuse.symbol import Symbol, Trace, trace

__all__ = [
    "BLOCK", "Graph", "Instruction", "Symbol", "Trace", "block_source", "computed",
    "kernel_source", "loop_source", "run", "trace",
]  # fmt: skip
