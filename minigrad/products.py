"""Products with second derivatives, of a loss that has been recorded: forward over reverse.

Floor 2. The reverse sweep, given duals of the values and their tangents (`forward.py`), returns
with each gradient its derivative along them: a Hessian-vector product.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from minigrad import autograd, backend
from minigrad.creation import zeros_like
from minigrad.dual import Dual, value_of
from minigrad.forward import Tangents, flat, push_through, raw, recorded, source, units
from minigrad.mode import GraphError, ShapeError, enable_grad
from minigrad.node import Node, Observer
from minigrad.tensor import Tensor


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
    for gradient hooks in the graph, of which no derivative is known; an `Observer` is passed by.
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
        sources: list[Node | Tensor] = [*reached, *leaves]
        for made in sources:
            if made.hooks and any(type(hook) is not Observer for hook in made.hooks):
                raise GraphError(
                    "a gradient hook has no second derivative; remove the hooks, or differentiate "
                    "the gradient: mg.autograd.grad(…, create_graph=True)"
                )
        for node in reached:
            if node.freed:  # what was changed since is found by each product
                node.check()
        self._gradients: dict[int, Any] = {}  # the gradients of the nodes, from the first sweep
        self.outputs = outputs
        self._select(reached)
        if len(self._wanted) < len(self.inputs):
            raise ValueError("an input is given twice; its vector would be ambiguous")
        if self._wanted.isdisjoint(map(id, sources)):
            raise GraphError(
                "the loss depends on none of the inputs; compute it from these very tensors"
            )
        if outputs is not None and id(source(outputs)) not in self._useful:
            raise GraphError(
                "the outputs lie not between the inputs and the loss; return the very tensor that "
                "the loss was computed from"
            )

    def _select(self, reached: list[Node]) -> None:
        """Choose the nodes to sweep over: those between the inputs and the loss, newest first."""
        self._wanted = {id(source(x)) for x in self.inputs}
        self._useful = autograd._useful(reached, self._wanted)
        self._nodes = [node for node in reached if id(node) in self._useful]
        self._pushed = _read(self._nodes, set())
        if self.outputs is not None:  # what they were computed from, and the rest
            inner = {id(node) for node in autograd._reach([self.outputs])[0]}
            self._inner = [node for node in self._nodes if id(node) in inner]
            self._outer = [node for node in self._nodes if id(node) not in inner]
            self._pushed_outside = _read(self._nodes, inner)

    def _from(self, i: int) -> Curvature:
        """Return the same for the inputs from number `i` on: its sweeps pass by the others."""
        part = copy.copy(self)
        part.inputs = self.inputs[i:]
        part._select(self._nodes)
        return part

    def gradient(self) -> list[Tensor]:
        """Return the gradient of the loss."""
        lift = autograd._tensors if self.create_graph else autograd._arrays

        def keep(node: Node, g: Any) -> list[Any]:
            self._gradients[id(node)] = g
            return lift(node, g)

        gradients = self._back(self._nodes, {id(source(self.loss)): self._seed}, keep)
        return self._collect(gradients, [])

    def hvp(self, vectors: Sequence[Any]) -> list[Tensor]:
        """Return H v, the product of the loss's Hessian with a vector."""
        moving = self._push(vectors, self._pushed)
        return self._collect(self._back_with_tangents(self._nodes, moving), vectors)

    def ggn_vp(self, vectors: Sequence[Any]) -> list[Tensor]:
        """Return G v = Jᵀ H_L J v: J is the Jacobian of `outputs`, H_L the Hessian of the rest.

        What the loss depends on otherwise, such as a penalty, enters with its exact Hessian. For
        the likelihood losses (cross-entropy of logits, squared error) G is the Fisher matrix. See
        Schraudolph 2002, Fast curvature matrix-vector products, Neural Computation 14.
        """
        if self.outputs is None:
            raise GraphError("a Gauss–Newton product needs `outputs`, the tensor between J and H_L")
        moving = self._push(vectors, self._pushed_outside)
        gradients = self._back_with_tangents(self._outer, moving)
        lift = autograd._tensors if self.create_graph else autograd._arrays
        return self._collect(self._back(self._inner, gradients, lift), vectors)

    def hessian(self) -> Tensor:
        """Return H whole, (n, n) for n the number of elements of all inputs, in their order.

        The columns are products with unit vectors, as many in one sweep as `COLUMNS` says. The
        inputs have one dtype and are on one device.
        """
        return _joined(self._blocks(Curvature.hvp))

    def blocks(self) -> list[list[Tensor]]:
        """Return H by inputs: ``blocks()[i][j]`` has the shape of input i, then that of input j."""
        taken: set[int] = set()  # a block is the other's transpose, but not its memory
        return [
            [
                Tensor.of(backend.apart(block.reshape(x.shape + y.shape), taken))
                for y, block in zip(self.inputs, row, strict=True)
            ]
            for x, row in zip(self.inputs, self._blocks(Curvature.hvp), strict=True)
        ]

    def ggn(self) -> Tensor:
        """Return the Gauss–Newton matrix whole; see `hessian` and `ggn_vp`."""
        return _joined(self._blocks(Curvature.ggn_vp))

    def _blocks(self, product: Callable[[Curvature, Sequence[Any]], list[Tensor]]) -> Any:
        """Return the matrix of a symmetric product, by inputs, each block a matrix.

        The blocks right of the diagonal are computed, and those left of it are their transposes.
        """
        blocks: list[list[Any]] = [[None] * len(self.inputs) for _ in self.inputs]
        for i, x in enumerate(self.inputs):
            part = self._from(i)
            zeros: list[Any] = [None] * (len(part.inputs) - 1)
            xp = backend.of((x.data,))
            rows = [[xp.zeros((0, y.size), y.dtype) for y in part.inputs]]
            for unit in units(x, part._nodes):
                found = zip(part.inputs, product(part, [unit, *zeros]), strict=True)
                rows.append([flat(out.data, unit, y.shape) for y, out in found])
            for j, column in enumerate(zip(*rows, strict=True), start=i):
                blocks[i][j] = xp.concatenate(column)
                blocks[j][i] = blocks[i][j].T
        return blocks

    def _push(self, vectors: Sequence[Any], nodes: list[Node]) -> Tangents:
        """Return the tangents of the nodes, for those of the inputs."""
        moving: Tangents = {}
        for x, v in zip(self.inputs, vectors, strict=True):
            if v is None:  # zeros
                continue
            if v.shape != x.shape:
                raise ShapeError(f"a vector of shape {v.shape} for a tensor of shape {x.shape}")
            moving[id(source(x))] = v.data if isinstance(v, Tensor) and not self.create_graph else v
        push_through(nodes, moving, self.create_graph)
        return moving

    def _back(self, nodes: list[Node], gradients: dict[int, Any], lift: autograd.Lift) -> Any:
        """Run the reverse sweep over some of the nodes."""
        steps = nodes, gradients, self._wanted, self._useful, self.keep, lift, _settled
        if self.create_graph:
            with enable_grad():
                autograd._run(*steps)
        else:  # what rules compute from arrays is not recorded anyway
            autograd._run(*steps)
        return gradients

    def _back_with_tangents(self, nodes: list[Node], moving: Tangents) -> dict[int, Any]:
        """Run the reverse sweep from the loss with duals, and return the gradients' tangents."""
        gradients: dict[int, Any] = {id(source(self.loss)): self._seed}
        self._back(nodes, gradients, self._dual(moving))
        return {key: g.tangent for key, g in gradients.items() if type(g) is Dual}

    def _dual(self, moving: Tangents) -> autograd.Lift:
        """Return what gives the rules duals of the values that have a tangent."""

        known = self._gradients

        def lift(node: Node, g: Any) -> list[Any]:
            key = id(node)
            if self.keep:
                if key not in known:
                    known[key] = value_of(g)
                if type(g) is Dual:
                    g = Dual(known[key], g.tangent)
            out, kept = recorded(node) if self.create_graph else (node.out, node.values)
            values, read = list(kept), False  # whether a rule reads the gradient's value
            tangent = moving.pop(key, None)  # older nodes do not read it
            if out is not None and tangent is not None:
                out, read = Dual(out, tangent), True
            for i, parent in enumerate(node.parents):
                tangent = moving.get(id(parent))
                if tangent is not None and node.values[i] is not parent:
                    values[i], read = Dual(values[i], tangent), True
                elif type(parent) is Node:
                    read = True
            if not read and type(g) is Dual:
                g = Dual(None, g.tangent)
            return [g, out, values, 0] if node.op.variadic else [g, out, *values]

        return lift

    def _collect(self, gradients: dict[int, Any], vectors: Sequence[Any]) -> list[Tensor]:
        """Return the results for the inputs, zeros where the loss does not depend on one.

        Each has memory of its own, apart from the others' and the vectors'.
        """
        results: list[Tensor] = []
        taken = {id(backend.owner(v.data)) for v in vectors if isinstance(v, Tensor)}
        for x in self.inputs:
            found = gradients.get(id(source(x)))
            found = zeros_like(x) if found is None else autograd._tensor(raw(found))
            if not self.create_graph:
                found.data = backend.apart(found.data, taken)
            results.append(found)
        return results


def _read(nodes: list[Node], inner: set[int]) -> list[Node]:
    """Return the nodes whose tangents the reverse sweep's rules read, or that those depend on.

    `nodes` are given the newest first. Rules of `inner` nodes read no tangent.
    """
    read: set[int] = set()
    pushed = []
    for node in nodes:
        key = id(node)
        outside = key not in inner
        if outside and node.out is not None:
            read.add(key)
        through = key in read
        if through:
            pushed.append(node)
        for i, parent in enumerate(node.parents):
            if type(parent) is Node and (through or (outside and node.values[i] is not parent)):
                read.add(id(parent))
    return pushed


def _settled(g: Any) -> Any:
    """Return the tangent of a leaf's gradient alone, since nobody asks for the value.

    What would compute the value keeps the duals of all newer nodes in memory.
    """
    return Dual(None, g.tangent) if type(g) is Dual else g


def _joined(blocks: list[list[Any]]) -> Tensor:
    """Return a matrix from its blocks."""
    xp = backend.of(blocks[0])
    return Tensor.of(xp.concatenate([xp.concatenate(row, axis=1) for row in blocks]))
