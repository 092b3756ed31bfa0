"""The sweep forward: tangents of the inputs become tangents of everything; whole Jacobians.

Floor 2. It walks a recorded graph from the oldest node to the newest. Not here: products with
second derivatives (`products.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import Any

from minigrad import autograd, backend
from minigrad.batch import Batch
from minigrad.creation import zeros, zeros_like
from minigrad.dual import push
from minigrad.mode import enable_grad
from minigrad.node import Node
from minigrad.ops import concatenate, reshape
from minigrad.tensor import Tensor

Tangents = dict[int, Any]  # the tangents of nodes and leaves, by identity

# Numbers in the largest array of a sweep for many columns: fewer, and Python's calls cost more than
# they compute; more, and the arrays do not stay in the cache.
COLUMNS = 200_000


def jvp(
    outputs: Sequence[Tensor],
    inputs: Sequence[Tensor],
    tangents: Sequence[Any],
    create_graph: bool = False,
) -> list[Any]:
    """Return the tangents of `outputs` for those of `inputs`: J ẋ, from the recorded graph.

    Tangents have the shapes and dtypes of their tensors. They are arrays, and so are the results;
    with `create_graph`, Tensors that can be differentiated. None says that an output does not
    depend on the inputs.
    """
    nodes, _ = autograd._reach([y for y in outputs if y.requires_grad])
    moving = {id(source(x)): t for x, t in zip(inputs, tangents, strict=True)}
    push_through(nodes, moving, create_graph)
    return [moving.get(id(source(y))) for y in outputs]


def source(x: Tensor) -> Any:
    """Return the node that made a tensor, or the leaf itself."""
    return x if x.node is None else x.node


@backend.explaining
def push_through(nodes: list[Node], moving: Tangents, create_graph: bool) -> None:
    """Push the tangents of the inputs through every node, the oldest first."""
    with enable_grad() if create_graph else nullcontext():  # what arrays give is not recorded
        for node in reversed(nodes):
            if id(node) in moving:
                continue  # an input that was computed
            tangents = [moving.get(id(parent)) for parent in node.parents]
            for tangent in tangents:
                if tangent is not None:
                    break
            else:
                continue
            node.check()
            out, inputs = recorded(node) if create_graph else (node.out, node.values)
            out = node if out is None else out
            tangent = push(node.op, inputs, out, tangents, node.params, node.shape)
            if tangent.dtype != node.dtype:
                tangent = tangent.astype(node.dtype)
            moving[id(node)] = tangent


def recorded(node: Node) -> tuple[Any, list[Any]]:
    """Return the result and the inputs of a node, as far as they were kept, as Tensors."""
    frame = autograd._tensors(node, None)
    return frame[1], frame[2] if node.op.variadic else frame[2:]


def matrices(y: Tensor, inputs: Sequence[Tensor], ahead: bool, create_graph: bool) -> list[Tensor]:
    """Return ∂y/∂x for each input, of shape ``y.shape + x.shape``, by columns or by rows.

    `ahead` sweeps forward, for each element of the inputs; else back, for each element of y.
    """
    if not y.requires_grad or not y.size:
        return [zeros(*y.shape, *x.shape, dtype=x.dtype, device=x.device) for x in inputs]
    rows = (
        [_columns(y, x, create_graph) for x in inputs] if ahead else _rows(y, inputs, create_graph)
    )
    return [
        reshape(row, y.shape + x.shape).astype(x.dtype) for row, x in zip(rows, inputs, strict=True)
    ]


def _rows(y: Tensor, inputs: Sequence[Tensor], create_graph: bool) -> list[Tensor]:
    """Return ∂y/∂x as a matrix for each input, several rows in one sweep back."""
    nodes, _ = autograd._reach([y])
    parts = []
    for unit in units(y, nodes):
        if not create_graph:
            found = autograd.pull([y], inputs, [unit], False)
            parts.append([flat(raw(g), unit, x.shape) for g, x in zip(found, inputs, strict=True)])
            continue
        for row in unit.array:
            found = autograd.pull([y], inputs, [Tensor.of(row)], True)
            parts.append(
                [
                    reshape(zeros_like(x) if g is None else g, (1, -1))
                    for g, x in zip(found, inputs, strict=True)
                ]
            )
    return [_stacked(column) for column in zip(*parts, strict=True)]


def _columns(y: Tensor, x: Tensor, create_graph: bool) -> Tensor:
    """Return ∂y/∂x as a matrix, several columns in one sweep forward."""
    nodes, _ = autograd._reach([y])
    parts: list[Any] = []
    for unit in units(x, nodes):
        if not create_graph:
            (found,) = jvp([y], [x], [unit])
            parts.append(flat(raw(found), unit, y.shape))
            continue
        for column in unit.array:
            (found,) = jvp([y], [x], [Tensor.of(column)], True)
            parts.append(reshape(zeros_like(y) if found is None else found, (1, -1)))
    return _stacked(parts).T if parts else zeros(y.size, 0, dtype=y.dtype)


def units(x: Tensor, nodes: list[Node]) -> Iterator[Batch]:
    """Yield the unit vectors of a tensor's shape, in batches whose sweeps stay in the cache."""
    xp = backend.of((x.data,))
    width = max(1, COLUMNS // max([x.size, *(node.size for node in nodes)]))
    for start in range(0, x.size, width):
        unit = xp.eye(min(width, x.size - start), x.size, start, dtype=x.dtype)
        unit = unit.reshape(len(unit), *x.shape)
        if x.ndim == 2 and not x.data.flags.c_contiguous:  # as the weights: the BLAS's fast case
            unit = xp.ascontiguousarray(unit.swapaxes(1, 2)).swapaxes(1, 2)
        yield Batch(unit)


def raw(value: Any) -> Any:
    """Return the array of a batch, anything else as it is; 0 for None."""
    return value.array if type(value) is Batch else 0 if value is None else value


def flat(array: Any, unit: Batch, shape: tuple[int, ...]) -> Any:
    """Return results for a batch of unit vectors as rows; one for all of them is repeated."""
    xp, count = backend.of((unit.array,)), len(unit.array)
    if isinstance(array, int):
        array = xp.zeros(shape, unit.dtype)
    return xp.broadcast_to(array, (count, *shape)).reshape(count, -1)


def _stacked(rows: Sequence[Any]) -> Tensor:
    """Return arrays or Tensors joined into one matrix."""
    out = concatenate(rows)
    return out if isinstance(out, Tensor) else Tensor.of(out)
