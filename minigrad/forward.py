"""The sweep forward, and products with second derivatives: forward over reverse.

Floor 2. The forward sweep walks a recorded graph from the oldest node to the newest and turns
tangents of the inputs into tangents of everything. The reverse sweep, given duals of the values and
these tangents, returns with each gradient its derivative along them: a Hessian-vector product.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from minigrad import autograd, backend
from minigrad.batch import Batch
from minigrad.creation import zeros, zeros_like
from minigrad.dual import Dual, push
from minigrad.mode import GraphError, ShapeError, enable_grad, no_grad
from minigrad.node import Node
from minigrad.ops import concatenate, reshape
from minigrad.tensor import Tensor

Tangents = dict[int, Any]  # the tangents of nodes and leaves, by identity

# Numbers in the largest array of a sweep for many columns; far larger ones malloc maps and unmaps
# each time, and that costs more than the calls that are saved.
COLUMNS = 40_000


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
    moving = {id(_source(x)): t for x, t in zip(inputs, tangents, strict=True)}
    _sweep(nodes, moving, create_graph)
    return [moving.get(id(_source(y))) for y in outputs]


def _source(x: Tensor) -> Any:
    """Return the node that made a tensor, or the leaf itself."""
    return x if x.node is None else x.node


def _sweep(nodes: list[Node], moving: Tangents, create_graph: bool) -> None:
    """Push the tangents of the inputs through every node, the oldest first."""
    with enable_grad() if create_graph else no_grad():
        for node in reversed(nodes):
            if id(node) in moving:
                continue  # an input that was computed
            tangents = [moving.get(id(parent)) for parent in node.parents]
            if all(tangent is None for tangent in tangents):
                continue
            node.check()
            out, values = _values(node, create_graph)
            out = node if out is None else out
            tangent = push(node.op, values, out, tangents, node.params, node.shape)
            if tangent.dtype != node.dtype:
                tangent = tangent.astype(node.dtype)
            moving[id(node)] = tangent


def _values(node: Node, create_graph: bool) -> tuple[Any, list[Any]]:
    """Return the result and the inputs of a node, as far as they were kept."""
    if not create_graph:
        return node.out, node.values
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
    for unit in _units(y, nodes):
        if not create_graph:
            found = autograd.pull([y], inputs, [unit], False)
            parts.append(
                [_flat(_raw(g), unit, x.shape) for g, x in zip(found, inputs, strict=True)]
            )
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
    for unit in _units(x, nodes):
        if not create_graph:
            (found,) = jvp([y], [x], [unit])
            parts.append(_flat(_raw(found), unit, y.shape))
            continue
        for column in unit.array:
            (found,) = jvp([y], [x], [Tensor.of(column)], True)
            parts.append(reshape(zeros_like(y) if found is None else found, (1, -1)))
    return _stacked(parts).T if parts else zeros(y.size, 0, dtype=y.dtype)


def _units(x: Tensor, nodes: list[Node]) -> Iterator[Batch]:
    """Yield the unit vectors of a tensor's shape, in batches whose sweeps stay in the cache."""
    xp = backend.of((x.data,))
    width = max(1, COLUMNS // max([x.size, *(node.size for node in nodes)]))
    for start in range(0, x.size, width):
        unit = xp.eye(min(width, x.size - start), x.size, start, dtype=x.dtype)
        unit = unit.reshape(len(unit), *x.shape)
        if x.ndim == 2 and not x.data.flags.c_contiguous:  # as the weights: the BLAS's fast case
            unit = xp.ascontiguousarray(unit.swapaxes(1, 2)).swapaxes(1, 2)
        yield Batch(unit)


def _raw(value: Any) -> Any:
    """Return the array of a batch, anything else as it is; 0 for None."""
    return value.array if type(value) is Batch else 0 if value is None else value


def _flat(array: Any, unit: Batch, shape: tuple[int, ...]) -> Any:
    """Return results for a batch of unit vectors as rows; one for all of them is repeated."""
    xp, count = backend.of((unit.array,)), len(unit.array)
    if isinstance(array, int):
        array = xp.zeros(shape, unit.dtype)
    return xp.broadcast_to(array, (count, *shape)).reshape(count, -1)


def _stacked(rows: Sequence[Any]) -> Tensor:
    """Return arrays or Tensors joined into one matrix."""
    out = concatenate(rows)
    return out if isinstance(out, Tensor) else Tensor.of(out)


def _joined(blocks: list[list[Any]]) -> Tensor:
    """Return a matrix from its blocks."""
    xp = backend.of(blocks[0])
    return Tensor.of(xp.concatenate([xp.concatenate(row, axis=1) for row in blocks]))


class Curvature:
    """The second derivatives of a recorded loss, as products with vectors.

    - ``loss``: a Tensor of one element with its graph, which is kept as long as this object;
    - ``inputs``: the tensors to differentiate by;
    - ``outputs``: the tensor that cuts the graph in two, for Gauss–Newton products: logits, say;
    - ``create_graph``: give products that can be differentiated once more;
    - ``keep``: False for a single product, after which the graph is freed.

    Vectors and results are lists, one Tensor of the input's shape and dtype for each input. Every
    product is one sweep forward and one back; the gradient is computed once, with the first.
    The inputs must not change in between: the graph refuses to be used then.

    Raises ValueError for an input given twice; GraphError for a loss of more than one element, a
    loss without a graph (or with one that was freed, or that depends on none of the inputs), and
    for gradient hooks in the graph, of which no derivative is known.
    """

    def __init__(
        self,
        loss: Tensor,
        inputs: Sequence[Tensor],
        outputs: Tensor | None = None,
        create_graph: bool = False,
        keep: bool = True,
    ) -> None:
        self.keep = keep or create_graph
        self.loss = loss
        self.inputs = list(inputs)
        self.create_graph = create_graph
        self._seed = autograd._seed(loss, None, create_graph)
        reached, leaves = autograd._reach([loss])
        if any(node.hooks for node in reached) or any(leaf.hooks for leaf in leaves):
            raise GraphError(
                "a gradient hook has no second derivative; remove the hooks, or differentiate the "
                "gradient: mg.autograd.grad(…, create_graph=True)"
            )
        if len({id(x) for x in self.inputs}) < len(self.inputs):
            raise ValueError("an input is given twice; its vector would be ambiguous")
        for node in reached:
            node.check()
        self._wanted = {id(_source(x)) for x in self.inputs}
        if self._wanted.isdisjoint([id(x) for x in (*reached, *leaves)]):
            raise GraphError(
                "the loss depends on none of the inputs; compute it from these very tensors"
            )
        self._useful = autograd._useful(reached, self._wanted)
        self._nodes = [node for node in reached if id(node) in self._useful]  # the newest first
        self._read = _read(self._nodes, set())
        self._gradients: dict[int, Any] = {}  # the gradients of the nodes, from the first sweep
        self.outputs = outputs
        if outputs is not None:
            self._cut(outputs)

    def _cut(self, outputs: Tensor) -> None:
        """Split the graph into what `outputs` was computed from, and the rest."""
        if id(_source(outputs)) not in self._useful:
            raise GraphError(
                "the outputs lie not between the inputs and the loss; return the very tensor that "
                "the loss was computed from"
            )
        inner = {id(node) for node in autograd._reach([outputs])[0]}
        self._inner = [node for node in self._nodes if id(node) in inner]
        self._outer = [node for node in self._nodes if id(node) not in inner]
        self._read_outside = _read(self._nodes, inner)

    def gradient(self) -> list[Tensor]:
        """Return the gradient of the loss."""
        lift = autograd._tensors if self.create_graph else autograd._arrays

        def keep(node: Node, g: Any) -> list[Any]:
            self._gradients[id(node)] = g
            return lift(node, g)

        gradients = self._back(self._nodes, {id(_source(self.loss)): self._seed}, keep)
        return self._collect(gradients)

    def hvp(self, vectors: Sequence[Any]) -> list[Tensor]:
        """Return H v, the product of the loss's Hessian with a vector."""
        moving = self._push(vectors, self._read)
        return self._collect(self._back_with_tangents(self._nodes, moving))

    def ggn_vp(self, vectors: Sequence[Any]) -> list[Tensor]:
        """Return G v = Jᵀ H_L J v: J is the Jacobian of `outputs`, H_L the Hessian of the rest.

        What the loss depends on otherwise, such as a penalty, enters with its exact Hessian. For
        the likelihood losses (cross-entropy of logits, squared error) G is the Fisher matrix. See
        Schraudolph 2002, Fast curvature matrix-vector products, Neural Computation 14.
        """
        if self.outputs is None:
            raise GraphError("a Gauss–Newton product needs `outputs`, the tensor between J and H_L")
        moving = self._push(vectors, self._read_outside)
        gradients = self._back_with_tangents(self._outer, moving)
        lift = autograd._tensors if self.create_graph else autograd._arrays
        return self._collect(self._back(self._inner, gradients, lift))

    def hessian(self) -> Tensor:
        """Return H whole, (n, n) for n the number of elements of all inputs, in their order.

        The columns are products with unit vectors, as many in one sweep as fit into the memory of a
        few large layers. The inputs have one dtype and are on one device.
        """
        return _joined(self._blocks(self.hvp))

    def blocks(self) -> list[list[Tensor]]:
        """Return H by inputs: ``blocks()[i][j]`` has the shape of input i, then that of input j."""
        return [
            [
                Tensor.of(block.reshape(x.shape + y.shape))
                for y, block in zip(self.inputs, row, strict=True)
            ]
            for x, row in zip(self.inputs, self._blocks(self.hvp), strict=True)
        ]

    def ggn(self) -> Tensor:
        """Return the Gauss–Newton matrix whole; see `hessian` and `ggn_vp`."""
        return _joined(self._blocks(self.ggn_vp))

    def _blocks(self, product: Callable[[Sequence[Any]], list[Tensor]]) -> list[list[Any]]:
        """Return the matrix of a symmetric product, by inputs, each block a matrix."""
        rows = []
        for i, x in enumerate(self.inputs):
            vectors: list[Any] = [None] * len(self.inputs)
            parts = []
            for unit in _units(x, self._nodes):
                vectors[i] = unit
                parts.append(
                    [
                        _flat(part.data, unit, y.shape)
                        for y, part in zip(self.inputs, product(vectors), strict=True)
                    ]
                )
            xp = backend.of((x.data,))
            empty = [[xp.zeros((0, y.size), x.dtype) for y in self.inputs]]
            rows.append([xp.concatenate(column) for column in zip(*(parts or empty), strict=True)])
        return rows

    def _push(self, vectors: Sequence[Any], read: set[int]) -> Tangents:
        """Return the tangents of all nodes that are read, for those of the inputs."""
        moving: Tangents = {}
        for x, v in zip(self.inputs, vectors, strict=True):
            if v is None:  # zeros
                continue
            if v.shape != x.shape:
                raise ShapeError(f"a vector of shape {v.shape} for a tensor of shape {x.shape}")
            moving[id(_source(x))] = (
                v.data if isinstance(v, Tensor) and not self.create_graph else v
            )
        _sweep([node for node in self._nodes if id(node) in read], moving, self.create_graph)
        return moving

    def _back(self, nodes: list[Node], gradients: dict[int, Any], lift: autograd.Lift) -> Any:
        """Run the reverse sweep over some of the nodes."""
        with enable_grad() if self.create_graph else no_grad():
            autograd._run(nodes, gradients, self._wanted, self._useful, self.keep, lift)
        return gradients

    def _back_with_tangents(self, nodes: list[Node], moving: Tangents) -> dict[int, Any]:
        """Run the reverse sweep from the loss with duals, and return the gradients' tangents."""
        gradients = _Gradients({id(x) for x in self.inputs if x.node is None})
        gradients[id(_source(self.loss))] = self._seed
        self._back(nodes, gradients, self._dual(moving))
        return {key: g.tangent for key, g in gradients.items() if type(g) is Dual}

    def _dual(self, moving: Tangents) -> autograd.Lift:
        """Return what gives the rules duals of the values that have a tangent."""

        def lift(node: Node, g: Any) -> list[Any]:
            known = self._gradients.get(id(node))
            if known is None and self.keep:
                known = self._gradients[id(node)] = g.value if type(g) is Dual else g
            if known is not None and type(g) is Dual:
                g = Dual(known, g.tangent)
            out, kept = _values(node, self.create_graph)
            tangent = moving.pop(id(node), None)  # older nodes do not read it
            if out is not None and tangent is not None:
                out = Dual(out, tangent)
            values = [
                Dual(value, moving[id(parent)])
                if id(parent) in moving and node.values[i] is not parent
                else value
                for i, (value, parent) in enumerate(zip(kept, node.parents, strict=True))
            ]
            last = all(type(parent) is not Node for parent in node.parents)
            if last and type(g) is Dual and not any(type(x) is Dual for x in (out, *values)):
                g = Dual(None, g.tangent)  # nobody reads the value any more
            return [g, out, values, 0] if node.op.variadic else [g, out, *values]

        return lift

    def _collect(self, gradients: dict[int, Any]) -> list[Tensor]:
        """Return the results for the inputs, zeros where the loss does not depend on one."""
        results = []
        for x in self.inputs:
            found = gradients.get(id(_source(x)))
            if found is None:
                found = zeros_like(x)
            elif type(found) is Batch:
                found = found.array
            results.append(autograd._tensor(found))
        return results


def _read(nodes: list[Node], inner: set[int]) -> set[int]:
    """Return the nodes whose tangents the reverse sweep's rules read, or that those depend on.

    `nodes` are given the newest first. Rules of `inner` nodes read no tangent.
    """
    read: set[int] = set()
    for node in nodes:
        outside = id(node) not in inner
        if outside and node.out is not None:
            read.add(id(node))
        for value, parent in zip(node.values, node.parents, strict=True):
            if type(parent) is Node and (id(node) in read or (outside and value is not parent)):
                read.add(id(parent))
    return read


class _Gradients(dict[int, Any]):
    """Gradients by identity; of a leaf's only the tangent, since nobody asks for the value.

    What would compute the value keeps the duals of all newer nodes in memory.
    """

    def __init__(self, leaves: set[int]) -> None:
        super().__init__()
        self.leaves = leaves

    def __setitem__(self, key: int, g: Any) -> None:
        if type(g) is Dual and key in self.leaves:
            g = Dual(None, g.tangent)
        super().__setitem__(key, g)
