"""Functions of functions: derivatives of a Python function, in the manner of JAX.

Floor 2. The function takes and returns Tensors; an argument that is differentiated may be a Tensor,
a number, or a nested list, tuple or dictionary of tensors. Each result can be differentiated again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from minigrad import autograd
from minigrad.creation import zeros
from minigrad.mode import GraphError, ShapeError, enable_grad, mode
from minigrad.ops import reshape, stack
from minigrad.tensor import Tensor, tensor

Tree = Any  # a Tensor, or lists, tuples and dictionaries of trees


def tree_map(function: Callable[[Any], Any], tree: Tree) -> Tree:
    """Return the tree with `function` applied to every leaf."""
    if isinstance(tree, dict):
        return {key: tree_map(function, value) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        items = [tree_map(function, item) for item in tree]
        return type(tree)(*items) if hasattr(tree, "_fields") else type(tree)(items)
    return function(tree)


def tree_leaves(tree: Tree) -> list[Any]:
    """Return the leaves of a tree, in order."""
    leaves: list[Any] = []
    tree_map(leaves.append, tree)
    return leaves


def _like(tree: Tree, leaves: Sequence[Any]) -> Tree:
    """Return a tree of the shape of `tree` with other leaves."""
    rest = iter(leaves)
    return tree_map(lambda _: next(rest), tree)


def _variable(x: Any) -> Tensor:
    """Return x as something to differentiate by: its own graph goes on if it has one."""
    if isinstance(x, Tensor) and x.requires_grad and mode.recording:
        return x.reshape(x.shape)  # type: ignore[no-any-return]
    return tensor(x).requires_grad_() if not isinstance(x, Tensor) else x.detach().requires_grad_()


def _positions(argnums: int | Sequence[int], count: int) -> list[int]:
    positions = [argnums] if isinstance(argnums, int) else list(argnums)
    for n in positions:
        if not -count <= n < count:
            raise IndexError(f"argnums {n} of a call with {count} arguments")
    return positions


def value_and_grad(
    f: Callable[..., Tensor], argnums: int | Sequence[int] = 0
) -> Callable[..., tuple[Tensor, Any]]:
    """Return a function that returns ``f(*args)`` and its gradient with respect to some arguments.

    `f` returns a Tensor of one element. The gradient has the shape of the argument (a tuple of them
    if `argnums` is a sequence). It is a graph itself if the argument requires a gradient.
    """

    def wrapped(*args: Any, **keywords: Any) -> tuple[Tensor, Any]:
        positions = _positions(argnums, len(args))
        outer = mode.recording and any(
            isinstance(x, Tensor) and x.requires_grad for x in tree_leaves([args, keywords])
        )
        arguments = list(args)
        with enable_grad():
            for n in positions:
                arguments[n] = tree_map(_variable, args[n])
            value = f(*arguments, **keywords)
            if not isinstance(value, Tensor) or value.size != 1:
                raise GraphError(
                    "grad needs a function that returns a Tensor of one element, not "
                    f"{_described(value)}; use mg.jacobian, or mg.vjp with a vector"
                )
            inputs = tree_leaves([arguments[n] for n in positions])
            found = _gradients([value], inputs, [None], create_graph=outer)
        result = _like([args[n] for n in positions], found)
        return value if outer else value.detach(), result[0] if isinstance(argnums, int) else tuple(
            result
        )

    return wrapped


def grad(f: Callable[..., Tensor], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """Return the gradient of f as a function: ``mg.grad(f)(x)``; see `value_and_grad`."""
    pair = value_and_grad(f, argnums)
    return lambda *args, **keywords: pair(*args, **keywords)[1]


def _described(value: Any) -> str:
    return f"a Tensor of shape {value.shape}" if isinstance(value, Tensor) else type(value).__name__


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
    return [x.detach() * 0 if g is None else g for g, x in zip(found, inputs, strict=True)]


def vjp(f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """Return ``f(*primals)`` and the function v ↦ (vᵀ ∂f/∂primal for each primal).

    v has the structure and shapes of the value; the function may be called many times.
    """
    with enable_grad():
        variables = tree_map(_variable, list(primals))
        value = f(*variables)
    outputs, inputs = tree_leaves(value), tree_leaves(variables)

    def pull(vector: Any) -> tuple[Any, ...]:
        seeds = tree_leaves(vector)
        record = mode.recording and any(
            isinstance(x, Tensor) and x.requires_grad for x in [*seeds, *tree_leaves(list(primals))]
        )
        return tuple(_like(list(primals), _gradients(outputs, inputs, seeds, record, retain=True)))

    return tree_map(lambda y: y.detach(), value), pull


def hvp(
    f: Callable[..., Tensor], primals: Sequence[Any], vectors: Sequence[Any]
) -> tuple[Any, ...]:
    """Return the Hessian-vector product H v of a scalar function, one part for each primal.

    The vectors have the structure and shapes of the primals. Reverse over reverse: the gradient's
    graph is built once and differentiated along v, at the cost of a few gradients; H is never
    formed.
    """
    record = mode.recording and any(
        isinstance(x, Tensor) and x.requires_grad
        for x in tree_leaves([list(primals), list(vectors)])
    )
    with enable_grad():
        variables = tree_map(_variable, list(primals))
        inputs = tree_leaves(variables)
        value = f(*variables)
        if not isinstance(value, Tensor) or value.size != 1:
            raise GraphError(
                "hvp needs a function that returns a Tensor of one element, not "
                f"{_described(value)}"
            )
        first = _gradients([value], inputs, [None], create_graph=True)
        seeds = [
            v if isinstance(v, Tensor) else tensor(v, dtype=x.dtype)
            for v, x in zip(tree_leaves(list(vectors)), inputs, strict=True)
        ]
        for v, x in zip(seeds, inputs, strict=True):
            if v.shape != x.shape:
                raise ShapeError(
                    f"hvp: a vector of shape {v.shape} for a primal of shape {x.shape}"
                )
        second = _gradients(first, inputs, seeds, create_graph=record)
    return tuple(_like(list(primals), second))


def jacobian(f: Callable[..., Tensor], argnums: int = 0) -> Callable[..., Tensor]:
    """Return a function for ∂f/∂x, of shape ``f(x).shape + x.shape``, one reverse sweep a row."""

    def wrapped(*args: Any, **keywords: Any) -> Tensor:
        n = _positions(argnums, len(args))[0]
        outer = mode.recording and any(
            isinstance(a, Tensor) and a.requires_grad for a in tree_leaves([args, keywords])
        )
        with enable_grad():
            x = _variable(args[n])
            value = f(*args[:n], x, *args[n + 1 :], **keywords)
            rows = []
            for i in range(value.size):
                seed = (value * 0).detach()
                seed.data.reshape(-1)[i] = 1
                rows.append(_gradients([value], [x], [seed], create_graph=outer, retain=True)[0])
        if not rows:
            return zeros(value.shape + x.shape, x.dtype, x.device)
        matrix: Tensor = reshape(stack(rows), value.shape + x.shape)
        return matrix

    return wrapped


def hessian(f: Callable[..., Tensor], argnums: int = 0) -> Callable[..., Tensor]:
    """Return a function for the matrix of second derivatives, of shape ``x.shape + x.shape``."""

    def gradient(*args: Any, **keywords: Any) -> Tensor:
        return grad(f, argnums)(*args, **keywords)  # type: ignore[no-any-return]

    return jacobian(gradient, argnums)
