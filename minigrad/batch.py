"""Batch: many values of one shape as one, so that many products with a matrix cost one sweep.

Floor 2. To a rule a batch looks like one of its values: the axis that counts them is hidden. An
operation on a batch is the same operation on the whole array, where the table below says how, and
else one call for each value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minigrad import backend, ops
from minigrad.backend import Array
from minigrad.ops import indexing, linalg, reduce, shape
from minigrad.ops.methods import attach
from minigrad.primitive import Primitive


class Batch:
    """An array whose first axis counts values; shape and axes are those of one of them."""

    __slots__ = ("array",)
    __hash__ = object.__hash__

    def __init__(self, array: Array) -> None:
        self.array = array

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis of one value."""
        return self.array.shape[1:]  # type: ignore[no-any-return]

    @property
    def dtype(self) -> Any:
        """The dtype of the elements."""
        return self.array.dtype

    @property
    def ndim(self) -> int:
        """The number of axes of one value."""
        return self.array.ndim - 1  # type: ignore[no-any-return]

    @property
    def size(self) -> int:
        """The number of elements of one value."""
        return self.array.size // max(len(self.array), 1)  # type: ignore[no-any-return]

    def copy(self) -> Batch:
        """Return the same values in memory of their own."""
        return Batch(self.array.copy())

    def __primitive__(self, op: Primitive, inputs: tuple[Any, ...], params: dict[str, Any]) -> Any:
        """Return the result of an operation that has this batch among its inputs."""
        rule = _elementwise if op.kind == "elementwise" else _RULES.get(op)
        out = None if rule is None else rule(op, inputs, params)
        return Batch(_one_by_one(op, inputs, params) if out is None else out)


attach(Batch)

Rule = Callable[[Primitive, tuple[Any, ...], dict[str, Any]], Any]  # None: do it one by one


def _one_by_one(op: Primitive, inputs: tuple[Any, ...], params: dict[str, Any]) -> Array:
    """Return the results of an operation for each value, stacked."""
    count = next(len(x.array) for x in inputs if type(x) is Batch)
    values = [
        op(*(x.array[k] if type(x) is Batch else x for x in inputs), **params) for k in range(count)
    ]
    return backend.of(values).stack(values)


def _aligned(inputs: tuple[Any, ...], ndim: int = 0) -> list[Any]:
    """Return the arrays, those of batches with as many axes after the first as the widest input."""
    ndim = max(ndim, *[getattr(x, "ndim", 0) for x in inputs])
    arrays = [x.array if type(x) is Batch else x for x in inputs]
    for i, x in enumerate(inputs):
        if type(x) is Batch and x.array.ndim <= ndim:
            arrays[i] = x.array.reshape(len(x.array), *(1,) * (ndim - x.ndim), *x.shape)
    return arrays


def _elementwise(op: Primitive, inputs: tuple[Any, ...], params: dict[str, Any]) -> Any:
    arrays = _aligned(inputs)
    return op.forward(backend.of(arrays), *arrays, **params)


def _same(op: Primitive, inputs: tuple[Any, ...], params: dict[str, Any]) -> Any:
    """Apply to the whole array what counts its axes from the last."""
    return op(inputs[0].array, **params)


def _axis(op: Primitive, inputs: tuple[Any, ...], params: dict[str, Any]) -> Any:
    """Move the axes of the operation behind the one that counts."""
    axis = params["axis"]
    moved = axis + 1 if isinstance(axis, int) else tuple(a + 1 for a in axis)
    return op(inputs[0].array, **{**params, "axis": moved})


def _permute(op: Primitive, inputs: tuple[Any, ...], params: dict[str, Any]) -> Any:
    return op(inputs[0].array, order=(0, *(a + 1 for a in params["order"])))


def _reshape(op: Primitive, inputs: tuple[Any, ...], params: dict[str, Any]) -> Any:
    array = inputs[0].array
    return op(array, shape=(len(array), *params["shape"])) if array.size else None


def _expand(op: Primitive, inputs: tuple[Any, ...], params: dict[str, Any]) -> Any:
    (array,) = _aligned(inputs, len(params["shape"]))
    return op(array, shape=(len(array), *params["shape"]))


def _sum_to(op: Primitive, inputs: tuple[Any, ...], params: dict[str, Any]) -> Any:
    array, to = inputs[0].array, params["shape"]
    ones = (1,) * (inputs[0].ndim - len(to))
    return op(array, shape=(len(array), *ones, *to)).reshape(len(array), *to)


def _matmul(op: Primitive, inputs: tuple[Any, ...], params: dict[str, Any]) -> Any:
    return ops.matmul(*_aligned(inputs))


def _affine(op: Primitive, inputs: tuple[Any, ...], params: dict[str, Any]) -> Any:
    x, weight, bias = inputs
    out = ops.matmul(x, shape.mT(weight))
    if isinstance(bias, (int, float)) and not bias:
        return out.array if type(out) is Batch else None
    return (out + bias).array


def _einsum(op: Primitive, inputs: tuple[Any, ...], params: dict[str, Any]) -> Any:
    terms, result = params["spec"].split("->")
    spare = next(c for c in "abcdefghijklmnopqrstuvwxyz" if c not in params["spec"])
    names = [
        spare + term if type(x) is Batch else term
        for x, term in zip(inputs, terms.split(","), strict=True)
    ]
    arrays = [x.array if type(x) is Batch else x for x in inputs]
    return op(*arrays, spec=f"{','.join(names)}->{spare}{result}")


def _index(op: Primitive, inputs: tuple[Any, ...], params: dict[str, Any]) -> Any:
    """Index behind the first axis, unless NumPy would move the indexed axes before it."""
    parts = params["index"]
    if any(map(backend.is_array, parts)):
        plain = [part is None or part is Ellipsis or isinstance(part, slice) for part in parts]
        first, last = plain.index(False), len(plain) - plain[::-1].index(False)
        if any(plain[first:last]):
            return None
    array, index = inputs[0].array, (slice(None), *parts)
    if "shape" in params:
        return op(array, index=index, shape=(len(array), *params["shape"]))
    return op(array, index=index)


_RULES: dict[Primitive, Rule] = {
    ops.where: _elementwise,
    shape._reshape: _reshape,
    shape._permute: _permute,
    shape._expand: _expand,
    shape._astype: _same,
    shape._tril: _same,
    shape._triu: _same,
    shape._flip: _axis,
    shape.mT: _same,
    shape.clone: _same,
    shape.sum_to: _sum_to,
    reduce._sum: _axis,
    reduce._cumsum: _axis,
    reduce._max: _axis,
    reduce._min: _axis,
    reduce._softmax: _axis,
    reduce._log_softmax: _axis,
    linalg._matmul: _matmul,
    linalg._affine: _affine,
    linalg._einsum: _einsum,
    indexing._view: _index,
    indexing._copy: _index,
    indexing.put: _index,
}
