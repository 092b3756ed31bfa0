"""Functions of functions: derivatives of a Python function, in the manner of JAX.

Floor 2. The function takes and returns Tensors; an argument that is differentiated may be a Tensor,
a number, or a nested list, tuple or dictionary of tensors. Each result can be differentiated again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from minigrad import autograd, backend, forward, products
from minigrad.creation import zeros_like
from minigrad.machine.memory import memory, readable
from minigrad.mode import GraphError, ShapeError, enable_grad, mode
from minigrad.tensor import Tensor, tensor
from minigrad.trees import Tree, called, like, tree_leaves, tree_map


def _variable(x: Any) -> Tensor:
    """Return x as something to differentiate by: its own graph goes on if it has one."""
    if isinstance(x, Tensor) and x.requires_grad and mode.recording:
        return x.reshape(x.shape)  # type: ignore[no-any-return]
    if isinstance(x, int) and not isinstance(x, bool):
        raise TypeError(f"{x} is an integer; what has a derivative is a float: give {float(x)}")
    return tensor(x).requires_grad_() if not isinstance(x, Tensor) else x.detach().requires_grad_()


def _variables(
    args: Sequence[Tree], argnums: int | Sequence[int]
) -> tuple[list[Tree], list[Tensor], Callable[[Sequence[Any]], Any]]:
    """Return the arguments with variables in place of those of `argnums`, and the variables.

    The third result gives what there is one of for each variable the structure of the arguments.
    """
    positions = [argnums] if isinstance(argnums, int) else list(argnums)
    for n in positions:
        if not -len(args) <= n < len(args):
            raise IndexError(f"argnums {n} of a call with {len(args)} arguments")
    arguments = list(args)
    for n in positions:
        arguments[n] = tree_map(_variable, args[n])

    def assembled(leaves: Sequence[Any]) -> Any:
        found = like([args[n] for n in positions], leaves)
        return found[0] if isinstance(argnums, int) else tuple(found)

    return arguments, tree_leaves([arguments[n] for n in positions]), assembled


def _described(value: Any) -> str:
    return f"a Tensor of shape {value.shape}" if isinstance(value, Tensor) else type(value).__name__


def _scalar(value: Any, operation: str, advice: str) -> Tensor:
    """Return a value that is a Tensor of one element, or raise GraphError."""
    if not isinstance(value, Tensor) or value.size != 1:
        raise GraphError(
            f"{operation} needs a function that returns a Tensor of one element, not "
            f"{_described(value)}; {advice}"
        )
    return value


def _outputs(value: Any, operation: str) -> list[Tensor]:
    """Return the leaves of what a function returned, or raise GraphError if one is no Tensor."""
    outputs = tree_leaves(value)
    other = [type(y).__name__ for y in outputs if not isinstance(y, Tensor)]
    if other:
        raise GraphError(f"{operation} needs a function that returns Tensors, not {other[0]}")
    return outputs


def _reaches_out(outputs: list[Any], inputs: list[Tensor]) -> bool:
    """Say whether outputs depend on a tensor other than the inputs that requires a gradient.

    Such a tensor is an argument that has a graph of its own, or one that the function closes over.
    The derivative depends on it too, so it must be a graph again: nesting rests on this.
    """
    roots = [y for y in outputs if isinstance(y, Tensor) and y.requires_grad]
    own = {id(x) for x in inputs}
    return any(id(leaf) not in own for leaf in autograd._reach(roots)[1])


def _depends(value: Tensor, inputs: list[Tensor]) -> bool:
    """Say whether a value was computed from one of the inputs, which are leaves or views."""
    if not value.requires_grad:
        return False
    nodes, leaves = autograd._reach([value])
    sources = {id(x if x.node is None else x.node) for x in inputs}
    return not sources.isdisjoint([id(x) for x in (*nodes, *leaves)])


def _gradients(
    outputs: list[Tensor],
    inputs: list[Tensor],
    seeds: list[Any],
    create_graph: bool,
    retain: bool = False,
) -> list[Tensor]:
    """Return gradients, zeros where the outputs do not depend on an input."""
    live = [(y, seed) for y, seed in zip(outputs, seeds, strict=True) if y.requires_grad]
    found: Sequence[Tensor | None] = [None] * len(inputs)
    if live:
        found = autograd.grad(
            [y for y, _ in live],
            inputs,
            [seed for _, seed in live],
            retain_graph=retain or create_graph,
            create_graph=create_graph,
            allow_unused=True,
        )
    return [zeros_like(x) if g is None else g for g, x in zip(found, inputs, strict=True)]


def _vectors(tree: Tree, vectors: Tree, operation: str) -> list[Tensor]:
    """Return the leaves of `vectors` in the order of the tree that they must match."""
    if isinstance(tree, dict):
        if not isinstance(vectors, dict) or vectors.keys() != tree.keys():
            raise ShapeError(f"{operation}: vectors for a dictionary of {list(tree)} have its keys")
        return [v for key in tree for v in _vectors(tree[key], vectors[key], operation)]
    if isinstance(tree, (list, tuple)):
        if not isinstance(vectors, (list, tuple)) or len(vectors) != len(tree):
            raise ShapeError(f"{operation}: vectors for {len(tree)} tensors are as many")
        pairs = zip(tree, vectors, strict=True)
        return [v for part, vector in pairs for v in _vectors(part, vector, operation)]
    v = vectors if isinstance(vectors, Tensor) else tensor(vectors, dtype=tree.dtype)
    if v.shape != tree.shape:
        raise ShapeError(
            f"{operation}: a vector of shape {v.shape} for a tensor of shape {tree.shape}"
        )
    return [v]


def value_and_grad(
    f: Callable[..., Tensor], argnums: int | Sequence[int] = 0
) -> Callable[..., tuple[Tensor, Any]]:
    """Return a function that returns ``f(*args)`` and its gradient with respect to some arguments.

    `f` returns a Tensor of one element. The gradient has the structure, shapes and dtypes of the
    argument (a tuple of them if `argnums` is a sequence), and zeros where f does not depend on it.
    Value and gradient are graphs themselves if f depends on another tensor that requires a
    gradient, be it an argument or one that f closes over; call under `no_grad` to avoid that.

    Raises GraphError if f returns anything else, IndexError for `argnums` out of range, TypeError
    for an argument of integers.
    """

    def wrapped(*args: Any, **keywords: Any) -> tuple[Tensor, Any]:
        recording = mode.recording
        with enable_grad():
            arguments, inputs, assembled = _variables(args, argnums)
            value = _scalar(
                called(f, arguments, keywords), "grad", "use mg.jacobian, or mg.vjp with a vector"
            )
            outer = recording and _reaches_out([value], inputs)
            found = _gradients([value], inputs, [None], create_graph=outer)
        return value if outer else value.detach(), assembled(found)

    return wrapped


def grad(f: Callable[..., Tensor], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """Return the gradient of f as a function: ``mg.grad(f)(x)``; see `value_and_grad`."""
    pair = value_and_grad(f, argnums)
    return lambda *args, **keywords: pair(*args, **keywords)[1]


def vjp(f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """Return ``f(*primals)`` and the function v ↦ (vᵀ ∂f/∂primal for each primal).

    v has the structure and shapes of the value; the function may be called many times. Value and
    products are graphs themselves under the conditions of `value_and_grad`.

    Raises GraphError if f returns anything but Tensors, ShapeError for a v that does not fit.
    """
    recording = mode.recording
    with enable_grad():
        variables = tree_map(_variable, list(primals))
        value = called(f, variables)
    outputs, inputs = _outputs(value, "vjp"), tree_leaves(variables)
    outer = recording and _reaches_out(outputs, inputs)

    def pull(vector: Any) -> tuple[Any, ...]:
        seeds = _vectors(value, vector, "vjp")
        record = mode.recording and (outer or any(v.requires_grad for v in seeds))
        return tuple(like(list(primals), _gradients(outputs, inputs, seeds, record, retain=True)))

    return value if outer else tree_map(lambda y: y.detach(), value), pull


def jvp(f: Callable[..., Any], primals: Any, tangents: Any) -> tuple[Any, Any]:
    """Return ``f(*primals)`` and J v, how fast the value changes along the tangents v.

    The tangents have the structure and shapes of the primals, the second result those of the
    value. Forward mode, over the recorded graph: a rule is read as the partial derivative, the
    linear map or the product that it states; the transpose of the transpose where a rule is a
    vector-Jacobian product. Both results are graphs themselves under the conditions of
    `value_and_grad`, and if a tangent requires a gradient.

    Raises GraphError if f returns anything but Tensors, ShapeError for tangents that do not fit.
    """
    if not isinstance(primals, (tuple, list)):
        primals, tangents = (primals,), (tangents,)
    recording = mode.recording
    with enable_grad():
        variables = tree_map(_variable, list(primals))
        value = called(f, variables)
    outputs, inputs = _outputs(value, "jvp"), tree_leaves(variables)
    vectors = _vectors(variables, list(tangents), "jvp")
    outer = recording and (_reaches_out(outputs, inputs) or any(v.requires_grad for v in vectors))
    seeds = [v if outer else v.data for v in vectors]
    found = forward.jvp(outputs, inputs, seeds, create_graph=outer)
    taken = {id(backend.owner(v.data)) for v in vectors}
    pushed = [
        zeros_like(y) if t is None else autograd._tensor(t if outer else backend.apart(t, taken))
        for y, t in zip(outputs, found, strict=True)
    ]
    value = value if outer else tree_map(lambda y: y.detach(), value)
    return value, like(value, pushed)


def hvp(
    f: Callable[..., Tensor],
    primals: Any,
    vectors: Any,
    order: str = "forward-over-reverse",
) -> Any:
    """Return the Hessian-vector product H v of a scalar function, one part for each primal.

    `primals` is a tuple or list of the arguments of f, and the result a tuple; anything else is the
    only argument, and the result is its part alone: ``hvp(f, x, v)`` is ``hvp(f, (x,), (v,))[0]``.
    The vectors have the structure and shapes of the primals; H is never formed. With ``order``
    "forward-over-reverse" the gradient is differentiated along v while it is computed (Pearlmutter
    1994, Fast exact multiplication by the Hessian, Neural Computation 6); with
    "reverse-over-reverse" the gradient's graph is built, and its product with v differentiated.
    The results are equal up to rounding, and the first is faster. The products are graphs
    themselves under the conditions of `value_and_grad`.

    Raises GraphError if f does not return a Tensor of one element, ShapeError for vectors that do
    not fit, ValueError for another order.
    """
    if order == "forward-over-reverse":
        return _product(f, None, primals, vectors, "hvp")
    if order == "reverse-over-reverse":
        return _double_reverse(f, primals, vectors, "hvp")
    raise ValueError(
        f"hvp: order={order!r}; legal are 'forward-over-reverse' and 'reverse-over-reverse'"
    )


def vhp(f: Callable[..., Tensor], primals: Any, vectors: Any) -> Any:
    """Return vᵀ H, which is H v, since H is symmetric, by reverse over reverse; see `hvp`."""
    return _double_reverse(f, primals, vectors, "vhp")


def ggn_vp(
    f: Callable[..., Tensor], loss: Callable[[Tensor], Tensor], primals: Any, vectors: Any
) -> Any:
    """Return the Gauss–Newton product Jᵀ H_L J v, one part for each primal.

    J is the Jacobian of ``f(*primals)``, a Tensor such as the logits or residuals, and H_L the
    Hessian of ``loss`` of it, a Tensor of one element. The matrix is positive semidefinite where
    the loss is convex. For the likelihood losses in their natural parameters (the cross-entropy of
    logits, half the squared error) it is the Fisher matrix (Martens 2020, New insights and
    perspectives on the natural gradient method, JMLR 21). Errors and graphs are those of `hvp`.
    """
    return _product(f, loss, primals, vectors, "ggn_vp")


def _product(
    f: Callable[..., Tensor],
    loss: Callable[[Tensor], Tensor] | None,
    primals: Any,
    vectors: Any,
    operation: str,
) -> Any:
    """Return the product of H, or with `loss` of the Gauss–Newton matrix, with vectors."""
    if not isinstance(primals, (tuple, list)):
        return _product(f, loss, (primals,), (vectors,), operation)[0]
    recording = mode.recording
    with enable_grad():
        variables = tree_map(_variable, list(primals))
        inputs = tree_leaves(variables)
        seeds = _vectors(variables, list(vectors), operation)
        outputs = called(f, variables)
        if loss is not None and not isinstance(outputs, Tensor):
            given = _described(outputs)
            raise GraphError(f"{operation} needs a function that returns one Tensor, not {given}")
        value = outputs if loss is None else loss(outputs)
        value = _scalar(value, operation, "reduce it, with .sum() or .mean()")
    outer = recording and (_reaches_out([value], inputs) or any(v.requires_grad for v in seeds))
    if not _depends(value if loss is None else outputs, inputs) or not value.requires_grad:
        found = [zeros_like(x) for x in inputs]
    elif loss is None:
        found = products.Curvature(value, inputs, None, outer, keep=False).hvp(seeds)
    else:
        found = products.Curvature(value, inputs, outputs, outer, keep=False).ggn_vp(seeds)
    return tuple(like(list(primals), found))


def _double_reverse(f: Callable[..., Tensor], primals: Any, vectors: Any, operation: str) -> Any:
    """Return H v as the gradient of the gradient's product with v."""
    if not isinstance(primals, (tuple, list)):
        return _double_reverse(f, (primals,), (vectors,), operation)[0]
    recording = mode.recording
    with enable_grad():
        variables = tree_map(_variable, list(primals))
        inputs = tree_leaves(variables)
        seeds = _vectors(variables, list(vectors), operation)
        value = _scalar(called(f, variables), operation, "reduce it, with .sum() or .mean()")
        first = _gradients([value], inputs, [None], create_graph=True)
        outer = recording and _reaches_out([*first, *seeds], inputs)
        second = _gradients(first, inputs, seeds, create_graph=outer)
    return tuple(like(list(primals), second))


def jacobian(
    f: Callable[..., Any], argnums: int | Sequence[int] = 0, sweep: str = "auto"
) -> Callable[..., Any]:
    """Return a function for ∂f/∂x, of shape ``f(x).shape + x.shape``.

    If x is a tree, so is the result; if f returns a tree, the result is a tree of such trees; if
    `argnums` is a sequence, there is a tuple of one for each. ``sweep`` says how: "reverse" costs
    one sweep back for each element of the value, "forward" one sweep forward for each element of x,
    "auto" takes what is fewer. Many rows or columns share a sweep, unless the result is a graph
    itself, under the conditions of `value_and_grad`.

    Raises GraphError if f returns anything but Tensors, ValueError for another sweep.
    """
    if sweep not in ("auto", "forward", "reverse"):
        raise ValueError(f"jacobian: sweep={sweep!r}; legal are 'auto', 'forward', 'reverse'")

    def wrapped(*args: Any, **keywords: Any) -> Any:
        recording = mode.recording
        with enable_grad():
            arguments, inputs, assembled = _variables(args, argnums)
            value = called(f, arguments, keywords)
            outputs = _outputs(value, "jacobian")
            outer = recording and _reaches_out(outputs, inputs)
            sizes = [sum(x.size for x in some) for some in (inputs, outputs)]
            ahead = sweep == "forward" or (sweep == "auto" and sizes[0] < sizes[1])

            return tree_map(lambda y: assembled(forward.matrices(y, inputs, ahead, outer)), value)

    return wrapped


def hessian(f: Callable[..., Tensor], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """Return a function for the matrix of second derivatives, of shape ``x.shape + x.shape``.

    For trees and several `argnums` it is the Jacobian of the gradient: blocks of blocks. Forward
    over reverse, many columns in one sweep.

    Raises GraphError if f does not return a Tensor of one element, MemoryError for a matrix larger
    than the machine's memory.
    """

    def scalar(*args: Any, **keywords: Any) -> Tensor:
        advice = "reduce it, with .sum() or .mean(), or use mg.jacobian for first derivatives"
        return _scalar(called(f, args, keywords), "hessian", advice)

    def wrapped(*args: Any, **keywords: Any) -> Any:
        recording = mode.recording
        with enable_grad():
            arguments, inputs, assembled = _variables(args, argnums)
            value = scalar(*arguments, **keywords)
            if (recording and _reaches_out([value], inputs)) or not _depends(value, inputs):
                return jacobian(grad(scalar, argnums), argnums)(*args, **keywords)
            _check_memory(inputs)
            rows = products.Curvature(value, inputs).blocks()
        return assembled([assembled(row) for row in rows])

    return wrapped


def _check_memory(inputs: list[Tensor]) -> None:
    """Raise MemoryError, before any work, for a Hessian larger than all memory of the host.

    On a GPU the library for it knows its own memory, and says when that ends.
    """
    n = sum(x.size for x in inputs)
    needed = n * n * inputs[0].dtype.itemsize
    there = memory() if inputs[0].device == "cpu" else None
    if there is not None and needed > there:
        raise MemoryError(
            f"hessian: the matrix of {n:,} numbers takes {readable(needed)}, and this machine has "
            f"{readable(there)}; use products with it, mg.hvp or mg.curvature.HessianOperator"
        )
