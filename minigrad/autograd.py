"""The sweep over the graph: `Tensor.backward` and `grad(outputs, inputs)`.

Floor 2. There is one sweep for every order. It walks the nodes from the newest to the oldest and
feeds each rule arrays, so that nothing is wrapped and nothing recorded; with ``create_graph`` it
feeds the same rules Tensors, and the gradient is a graph again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any

from minigrad import backend
from minigrad.mode import GraphError, ShapeError, enable_grad, mode, no_grad
from minigrad.node import Node, Observer
from minigrad.ops import clone, sum_to
from minigrad.primitive import inspect_gradient
from minigrad.tensor import Tensor

Parent = Any  # a Node or a leaf Tensor
Lift = Callable[[Node, Any], list[Any]]  # a node and its gradient → what its rules are given


def backward(
    self: Tensor, gradient: Any = None, retain_graph: bool | None = None, create_graph: bool = False
) -> None:
    """Add the gradient of this tensor to the ``.grad`` of every leaf that it depends on.

    `gradient`, of this tensor's shape, is the vector of the vector-Jacobian product; it may be
    left out for a tensor of one element. The graph is freed unless `retain_graph`; `create_graph`
    records the gradients themselves, for higher orders (and implies `retain_graph`).

    Raises GraphError if there is no graph, it was freed, or a value it kept was modified since.
    """
    leaves, gradients, taken = _sweep([self], [gradient], None, retain_graph, create_graph)
    for leaf in leaves:
        new = gradients[id(leaf)]
        if leaf._grad is not None:
            new = leaf._grad + new if create_graph else leaf._grad.data + new
        leaf._grad = _tensor(_own(new, taken))


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Tensor | None, ...]:
    """Return the gradients of `outputs` with respect to `inputs`, leaving every ``.grad`` alone.

    The arguments are PyTorch's. `grad_outputs` has one vector for each output, of its shape. The
    result has one Tensor for each input, of its shape and dtype.

    Raises GraphError for an input that the outputs do not depend on, unless `allow_unused`, which
    gives None there; otherwise as `backward`.
    """
    roots: list[Any] = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
    wanted = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    seeds = list(grad_outputs) if isinstance(grad_outputs, (list, tuple)) else [grad_outputs]
    if grad_outputs is None:
        seeds = [None] * len(roots)
    if len(seeds) != len(roots):
        raise ShapeError(f"{len(roots)} outputs need as many grad_outputs, not {len(seeds)}")
    for i, x in enumerate(wanted):
        if not isinstance(x, Tensor) or not x.requires_grad:
            raise GraphError(
                f"input {i} does not require a gradient; make it with requires_grad=True"
            )
    targets: list[Parent] = [x.node or x for x in wanted]
    _, gradients, taken = _sweep(roots, seeds, targets, retain_graph, create_graph)
    found = [gradients.get(id(target)) for target in targets]
    if not allow_unused and any(g is None for g in found):
        i = [g is None for g in found].index(True)
        raise GraphError(
            f"the outputs do not depend on input {i}; allow_unused=True gives None there"
        )
    return tuple(None if g is None else _tensor(_own(g, taken)) for g in found)


def _sweep(
    roots: list[Tensor],
    seeds: list[Any],
    targets: list[Parent] | None,
    retain_graph: bool | None,
    create_graph: bool,
) -> tuple[list[Tensor], dict[int, Any], set[int]]:
    """Return the leaves reached, all gradients by identity, and what memory is others' (`_own`)."""
    gradients: dict[int, Any] = {}
    taken: set[int] = set()
    for root, seed in zip(roots, seeds, strict=True):
        value = _seed(root, seed, create_graph)  # checks the root first
        _add(gradients, root.node or root, value)
        if seed is not None:
            taken.add(id(backend.owner(_tensor(value).data)))
    nodes, leaves = _reach(roots)
    wanted = None if targets is None else {id(target) for target in targets}
    useful = None if wanted is None else _useful(nodes, wanted)
    retain = create_graph if retain_graph is None else retain_graph
    if create_graph:
        with enable_grad():
            _run(nodes, gradients, wanted, useful, retain, _tensors)
    else:  # what rules compute from arrays is not recorded anyway
        _run(nodes, gradients, wanted, useful, retain, _arrays)
    reached = [leaf for leaf in leaves if id(leaf) in gradients]
    for leaf in reached:
        if leaf.hooks:
            gradients[id(leaf)] = _hooked(leaf.hooks, gradients[id(leaf)], create_graph)
    return reached, gradients, taken


@backend.explaining
def _run(
    nodes: list[Node],
    gradients: dict[int, Any],
    wanted: set[int] | None,
    useful: set[int] | None,
    retain: bool,
    lift: Lift,
    settle: Callable[[Any], Any] | None = None,
) -> None:
    """Pull the gradient through every node, the newest first; each is freed when it is done.

    With `settle`, which is given what comes to a leaf and returns what to keep of it, no hook is
    called: what passes is not the gradient that they wait for.
    """
    anomaly = mode.anomaly
    for node in nodes:
        key = id(node)
        if useful is not None and key not in useful:
            continue
        keep = wanted is not None and key in wanted
        g = gradients.get(key) if keep else gradients.pop(key, None)
        if g is None:
            continue
        if node.hooks and settle is None:
            g = _hooked(node.hooks, g, lift is _tensors)
            if keep:
                gradients[key] = g
        node.check()
        op, params = node.op, node.params
        variadic = op.variadic
        frame = lift(node, g)
        g = frame[0]
        for i, parent in enumerate(node.parents):
            if parent is None or (useful is not None and id(parent) not in useful):
                continue
            rule = op.rules[0 if variadic else i]
            if rule is None:
                raise GraphError(f"{op.__name__} is not differentiable in its input {i}")
            if variadic:
                frame[3] = i
            pulled = rule.call(frame, params)
            if pulled is None:
                continue
            if anomaly:
                inspect_gradient(node, i, pulled)
            like = parent if type(parent) is Node else parent.data
            if pulled.shape != like.shape or pulled.dtype != like.dtype:
                pulled = _fitted(pulled, like)
            key = id(parent)  # as `_add` does, of which a call would cost as much as the sum
            before = gradients.get(key)
            if before is not None:
                pulled = before + pulled
            gradients[key] = pulled if settle is None or like is parent else settle(pulled)
            pulled = before = None  # their memory may be wanted by the next
        if not retain:
            node.free()


def _arrays(node: Node, g: Any) -> list[Any]:
    """Return the frame of arrays: nothing is wrapped and nothing recorded."""
    if backend.several:  # what rules compute is computed where the gradient is
        backend.of((getattr(g, "array", g),))
    return [g, node.out, node.values, 0] if node.op.variadic else [g, node.out, *node.values]


def _tensors(node: Node, g: Any) -> list[Any]:
    """Return the frame of Tensors: what is computed from them is recorded."""
    values = [_handle(v, p) for v, p in zip(node.values, node.parents, strict=True)]
    out = None if node.out is None else Tensor.of(node.out, node)
    return [g, out, values, 0] if node.op.variadic else [g, out, *values]


def pull(
    roots: Sequence[Tensor], targets: Sequence[Tensor], seeds: Sequence[Any], create_graph: bool
) -> list[Any]:
    """Return gradients as the sweep leaves them: of the kind of the seeds, or None for zero."""
    gradients: dict[int, Any] = {}
    for root, seed in zip(roots, seeds, strict=True):
        if root.requires_grad:
            _add(gradients, root.node or root, _fitted(seed, root))
    nodes, _ = _reach(roots)
    sources = [x.node or x for x in targets]
    wanted = {id(source) for source in sources}
    lift = _tensors if create_graph else _arrays
    with enable_grad() if create_graph else no_grad():
        _run(nodes, gradients, wanted, _useful(nodes, wanted), True, lift)
    return [gradients.get(id(source)) for source in sources]


def _own(g: Any, taken: set[int]) -> Any:
    """Return a gradient in memory that is nobody else's: not of the owners `taken`, by identity."""
    if not isinstance(g, Tensor):
        return backend.apart(g, taken)
    with enable_grad():  # so that a copy is recorded
        return g if backend.claim(g.data, taken) else clone(g)


def _tensor(value: Any) -> Tensor:
    """Return a gradient as a Tensor; what NumPy made a scalar on the way is a 0-d array again."""
    if isinstance(value, Tensor):
        return value
    return Tensor.of(value if backend.is_array(value) else backend.cpu.asarray(value))


def _fitted(value: Any, like: Any) -> Any:
    """Return a gradient in the shape and the dtype of what it is the gradient of."""
    if value.shape != like.shape:
        value = sum_to(value, shape=like.shape)
    return value if value.dtype == like.dtype else value.astype(like.dtype)


def _add(gradients: dict[int, Any], parent: Parent, value: Any) -> None:
    """Add to a parent's gradient."""
    key = id(parent)
    before = gradients.get(key)
    gradients[key] = value if before is None else before + value


def _handle(value: Any, parent: Parent) -> Any:
    """Return a kept value as the tensor it was, so that what is computed from it is recorded."""
    if parent is None or value is parent:
        return value
    if type(parent) is Node:
        return Tensor.of(value, parent)
    if parent.data is not value:
        raise GraphError(
            "a leaf was given new data since the graph was recorded; differentiate before that"
        )
    return parent


def _reach(roots: Iterable[Tensor]) -> tuple[list[Node], list[Tensor]]:
    """Return every node the roots were computed from, the newest first, and every leaf."""
    nodes: dict[int, Node] = {}
    leaves: dict[int, Tensor] = {}
    stack: list[Parent] = [root.node or root for root in roots]
    while stack:
        parent = stack.pop()
        if type(parent) is Node:
            key = id(parent)
            if key not in nodes:
                nodes[key] = parent
                stack += parent.parents
        elif parent is not None:
            leaves[id(parent)] = parent
    newest_first = sorted(nodes.values(), key=attrgetter("order"), reverse=True)
    return newest_first, list(leaves.values())


def _useful(nodes: list[Node], wanted: set[int]) -> set[int]:
    """Return the identities of the wanted tensors and of the nodes between them and the outputs."""
    useful = set(wanted)
    for node in reversed(nodes):
        if not useful.isdisjoint([id(parent) for parent in node.parents]):
            useful.add(id(node))
    return useful


def _seed(root: Tensor, seed: Any, create_graph: bool) -> Any:
    """Return the gradient with which the sweep starts."""
    if not isinstance(root, Tensor):
        raise TypeError(
            f"gradients start at a Tensor, not {type(root).__name__}; return the loss itself"
        )
    if not root.requires_grad:
        raise GraphError(
            "there is no graph to differentiate: nothing this tensor was computed from requires "
            "a gradient (or it was computed under no_grad, or detached)"
        )
    xp = backend.of((root.data,))
    if seed is None:
        if root.size != 1:
            raise GraphError(
                f"a tensor of shape {root.shape} has no single gradient; reduce it (.sum() or "
                ".mean()), or give the vector: backward(gradient) with a gradient of that shape"
            )
        seed = xp.ones(root.shape, root.dtype) if root.ndim else xp.array(1, root.dtype)
        return Tensor.of(seed) if create_graph else seed
    if not isinstance(seed, Tensor):
        seed = Tensor(seed, dtype=root.dtype)
    if seed.shape != root.shape:
        raise ShapeError(f"a gradient of shape {seed.shape} for an output of shape {root.shape}")
    return _fitted(seed if create_graph else seed.data, root)


def _hooked(hooks: list[Any], g: Any, create_graph: bool) -> Any:
    """Return the gradient as the hooks leave it, in memory of its own if a hook may keep it."""
    shared = all(type(hook) is Observer for hook in hooks)
    copied = clone if create_graph else backend.copied
    with enable_grad() if create_graph else no_grad():
        g = g if shared else copied(g)
        for hook in list(hooks):
            result = hook(_tensor(g))
            if result is not None:
                if not isinstance(result, Tensor) or result.shape != g.shape:
                    raise ShapeError(f"a hook returns None or a Tensor of shape {g.shape}")
                g = result if create_graph else result.data
        return g if shared else copied(g)


setattr(Tensor, "backward", backend.explaining(backward))
