"""Pictures of computations: collected as data, folded, drawn, and as a page to look around in.

The records are in `data.py`. `trace.py` and `sweep.py` watch the engine forward and back,
`collect.py` makes the records, `repeats.py` and `fold.py` fold them, `dot.py` and `page.py` write
them down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from inspect import getclosurevars, signature
from pathlib import Path
from typing import Any

from minigrad import backend, fuse, random
from minigrad.mode import enable_grad
from minigrad.nn.module import Module, Parameter
from minigrad.optim import Optimizer
from minigrad.tensor import Tensor
from minigrad.viz.graphs.collect import Collector
from minigrad.viz.graphs.data import Box, Edge, Graph, Saved, Statistics, Step, Vertex
from minigrad.viz.graphs.fold import placed
from minigrad.viz.graphs.repeats import with_repeats
from minigrad.viz.graphs.trace import Trace, trace
from minigrad.viz.graphs.update import tensors, traceable, traced

__all__ = [
    "Box", "Edge", "Graph", "Saved", "Statistics", "Step", "Trace", "Vertex", "graph", "html",
    "trace",
]  # fmt: skip

FACTS = (
    "shape", "dtype", "device", "values", "statistics", "gradients", "bytes", "flops",
    "parameters", "line",
)  # fmt: skip
_PLAIN = {"shape", "dtype", "device", "flops", "parameters"}  # facts that need no array


def graph(
    what: Any,
    *inputs: Any,
    params: Any = None,
    trace: Trace | None = None,
    show: str | Iterable[str] = ("shape", "dtype"),
    order: int = 0,
    depth: int | None = None,
    repeats: bool = True,
    title: str = "",
) -> Graph:
    """Return the graph of a computation, to be drawn or looked through.

    - ``what``: a Tensor, or several, with its graph; or what computes it, which is run here and
      watched: a module or a function, with its ``inputs``. Only what is run here (or inside
      ``trace``) is nested by modules and has lines. The variables that a function uses lend their
      names to tensors that have none. Or an Optimizer: the formula of its next step, as it is
      traced to be run in one pass; if the picture needs arrays (values, gradients, lines, bytes,
      ``order``), or the formula cannot be traced, as the engine computes it; where it has no finite
      derivative, as a root at zero in a first step, the gradients are infinite or NaN. Or what
      `minigrad.fuse` has traced. These two take no ``inputs``, ``params`` or ``trace``.
    - ``params`` names parameters: a module, a mapping from name to tensor, or pairs of both. For a
      tensor it may stand second: ``graph(loss, model)``. Other tensors have their ``name``; those
      that need no gradient are shown where the graph keeps them.
    - ``show``: the facts that are written into the picture, of ``"shape"``, ``"dtype"``,
      ``"device"``, ``"values"`` (of small tensors), ``"statistics"``, ``"gradients"`` (their norms,
      as colors; the sweep starts from the sum of the outputs), ``"bytes"`` kept for the backward
      pass, ``"flops"``, ``"parameters"`` (how many numbers each has) and ``"line"``.
    - ``order``: 1 adds the graph of the gradient beside it, 2 that of the Hessian's product with a
      vector of ones too; each operation of theirs is tied to the one that it differentiates.
    - ``depth``: how many modules deep the picture goes before it folds; None decides by the size.
    - ``repeats``: draw blocks of the same structure once, with their number.

    A model that is run leaves no trace: buffers and random generators are put back.

    Raises TypeError for what has no graph or takes no such argument, GraphError if `backward` freed
    it, ValueError for a fact or an order that does not exist.
    """
    facts = [show] if isinstance(show, str) else list(show)
    if unknown := [fact for fact in facts if fact not in FACTS]:
        raise ValueError(f"show: {unknown[0]!r} is none of {', '.join(FACTS)}")
    if order not in (0, 1, 2):
        raise ValueError(f"order is 0 (forward), 1 (gradient) or 2 (H v), not {order!r}")
    update = isinstance(what, Optimizer)
    if isinstance(what, (Optimizer, fuse.Graph, fuse.Trace)):
        _alone(what, inputs, params, trace)
        if order and not update:
            raise ValueError(f"a traced formula has no gradient, so order is 0, not {order}")
        plain = not order and _PLAIN.issuperset(facts)
        if not isinstance(what, Optimizer) or (plain and traceable(what)):
            found = traced(what)
            return _finished(found, title, facts, depth, repeats)
        what, params, trace = tensors(what)
    if trace is not None and params is None and trace.modules:
        params = [pair for module in trace.modules for pair in _tensors(module)]
    if isinstance(what, Module) and not inputs:
        raise TypeError(
            f"a graph ends in tensors, not in {type(what).__name__}; draw what a model "
            "computes: viz.graph(model, x), or viz.graph(model(x), model)"
        )
    named = []
    if callable(what) and not isinstance(what, Tensor):
        around = [] if isinstance(what, Module) else _around(what)
        modules = [m for m in (what, params, *(m for _, m in around)) if isinstance(m, Module)]
        named = _inputs(what, inputs)
        named += [(x, x.name or name, "input") for name, x in around if isinstance(x, Tensor)]
        what, trace = _run(what, inputs, modules)
        params = modules[0] if params is None and modules else params
    elif inputs:
        params = inputs[0] if params is None else params
    roots: list[Any] = list(what) if isinstance(what, (list, tuple)) else [what]
    for root in roots:
        if not isinstance(root, Tensor):
            raise TypeError(
                f"a graph ends in tensors, not in {type(root).__name__}; draw what a model "
                "computes: viz.graph(model, x), or viz.graph(model(x), model)"
            )
    named = [*_named(params), *named]
    with backend.cpu.errstate(all="ignore") if update else nullcontext():
        found = Collector(roots, named, trace, facts, order).collect()
    return _finished(found, title, facts, depth, repeats)


def _alone(what: Any, inputs: Sequence[Any], params: Any, trace: Trace | None) -> None:
    """Refuse what the graph of an update cannot use."""
    count = len(inputs)
    given = [f"{count} input{'s' * (count > 1)}"] if count else []
    given += [name for name, x in (("params", params), ("trace", trace)) if x is not None]
    if given:
        raise TypeError(
            f"the graph of an update, {type(what).__name__}, takes nothing beside it, but was "
            f"given {' and '.join(given)}; its inputs are the formula's own; try viz.graph(it), "
            "or for a model viz.graph(model, x)"
        )


def _finished(
    graph: Graph, title: str, facts: list[str], depth: int | None, repeats: bool
) -> Graph:
    found = placed(with_repeats(graph))
    return replace(found, title=title, show=tuple(facts), depth=depth, repeats=repeats)


def html(what: Any, path: str | Path, *inputs: Any, **options: Any) -> Path:
    """Write the graph as a page to look around in, one file that needs nothing else; return it.

    `what`, `inputs` and `options` are those of `graph`; or `what` is a Graph, and then `options`
    are ``title``, ``depth`` and ``repeats``. The page pans, zooms, folds, searches, shows of an
    operation its values, gradient, derivative, what it keeps and its line, and steps through the
    sweep backward with its numbers. Without ``show`` it has them all; of an optimizer's update,
    which nobody differentiates, no gradients.

    Raises FileNotFoundError if there is no such folder, otherwise as `graph`; TypeError for what
    cannot be asked of a Graph any more.
    """
    path = Path(path)
    if path.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"a page is saved as .html, not as {path.name!r}")
    if isinstance(what, Graph):
        late = [*(["inputs"] if inputs else []), *(options.keys() - {"title", "depth", "repeats"})]
        if late:
            raise TypeError(
                f"what this graph has was settled when it was made, so {', '.join(sorted(late))} "
                "cannot be given here: give it to viz.graph, or viz.html what computes the graph; "
                "title, depth and repeats can be given"
            )
        return replace(what, **options).save(path)
    update = isinstance(what, Optimizer)
    show = [fact for fact in FACTS if not (update and fact == "gradients")]
    return graph(what, *inputs, **{"show": show, **options}).save(path)


def _run(
    function: Callable[..., Any], inputs: Sequence[Any], modules: list[Module]
) -> tuple[Any, Trace]:
    """Call a function under a trace, and put back what its modules keep and what was drawn."""
    buffers = [buffer for module in modules for buffer in module.buffers()]
    before = [(buffer, buffer.data, buffer.data.copy()) for buffer in buffers]
    rewind = random.snapshot()
    watched = Trace(*modules)
    with ExitStack() as stack:
        stack.callback(rewind)
        stack.callback(_put_back, before)
        stack.enter_context(enable_grad())
        stack.enter_context(watched)
        return function(*inputs), watched


def _put_back(buffers: list[tuple[Tensor, Any, Any]]) -> None:
    for buffer, array, copy in buffers:
        array[...] = copy
        buffer.data = array


def _inputs(function: Any, inputs: Sequence[Any]) -> list[tuple[Tensor, str, str]]:
    """Return the tensors among the inputs, with the names that the function gives them."""
    call = function.forward if isinstance(function, Module) else function
    try:
        names = list(signature(call).bind(*inputs).arguments.items())
    except (TypeError, ValueError):
        names = [(f"input {i}", x) for i, x in enumerate(inputs)]
    flat = [
        (name if not isinstance(x, tuple) else f"{name}{i}", item)
        for name, x in names
        for i, item in enumerate(x if isinstance(x, tuple) else (x,))
    ]
    return [(x, x.name or name, "input") for name, x in flat if isinstance(x, Tensor)]


def _around(function: Callable[..., Any]) -> list[tuple[str, Any]]:
    """Return what a function uses of the variables around it, by name."""
    try:
        found = getclosurevars(function)
    except TypeError:  # not a function written in Python
        return []
    return [*found.nonlocals.items(), *found.globals.items()]


def _named(params: Any) -> list[tuple[Tensor, str, str]]:
    """Return tensor, name and role of what is in a module, a mapping, or pairs."""
    if params is None:
        return []
    pairs = _tensors(params) if isinstance(params, Module) else params
    items = pairs.items() if isinstance(pairs, Mapping) else pairs
    return [(x, name, _role(x, params)) for name, x in items]


def _role(tensor: Tensor, params: Any) -> str:
    plain = not isinstance(params, Module)
    return "parameter" if plain or isinstance(tensor, Parameter) else "buffer"


def _tensors(module: Module) -> list[tuple[str, Tensor]]:
    return [*module.named_parameters(), *module.named_buffers()]
