"""The activations of each layer while a network is trained: means, spreads, saturation, histograms.

After X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward neural
networks", 2010, section 3. Not here: the norms of gradients (`training.GradientFlow`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from minigrad import backend, nn
from minigrad.backend import Array
from minigrad.tensor import Tensor, tensor
from minigrad.viz.figure import GREY, figure, marked, plain, style, style_axes
from minigrad.viz.intact import intact
from minigrad.viz.picture import Picture

# The least and the greatest output of the activations that saturate.
BOUNDS: dict[type[Any], tuple[float, float]] = {
    nn.Sigmoid: (0.0, 1.0),
    nn.Tanh: (-1.0, 1.0),
    nn.LeCunTanh: (-1.7159, 1.7159),
}
_NEAR = 0.1  # of the range: an output so near a bound is saturated
_BINS = 40


@dataclass(frozen=True)
class LayerActivations:
    """What one layer put out at one step, over all inputs and units.

    ``mean`` and ``std``; ``percentiles``, the 2nd, 25th, 50th, 75th and 98th; ``saturated``, the
    share of outputs within a tenth of the range of a bound (sigmoid, tanh) or exactly 0 (ReLU),
    None for activations that have neither; ``counts`` of the histogram between ``edges``.
    """

    step: int
    layer: str
    mean: float
    std: float
    percentiles: tuple[float, ...]
    saturated: float | None
    counts: Array
    edges: Array


class Activations(Picture):
    """Measurements of a model's activations on fixed inputs; `viz.activations` makes it.

    ``rows`` has a `LayerActivations` for each measurement and layer; ``layers`` are the layers'
    names, from the input up.
    """

    def __init__(self, model: nn.Module, x: Any, layers: Sequence[str] | None, training: bool):
        self.model = model
        self.x = x if isinstance(x, Tensor) else tensor(x)
        if not self.x.size:
            raise ValueError(f"x has shape {self.x.shape}; give inputs, such as test.x[:300]")
        self.training = training
        self.rows: list[LayerActivations] = []
        self._watched = _watched(model, layers)

    @property
    def layers(self) -> list[str]:
        """The names of the layers measured, in the order in which they compute."""
        return list(dict.fromkeys(row.layer for row in self.rows))

    def measure(self, step: int) -> list[LayerActivations]:
        """Run the model on the inputs, add a row for each layer to ``rows``, and return these.

        The model is afterwards as before, bit for bit. Training goes on in between; a good rhythm
        is every tenth or twentieth step.
        """
        found: list[LayerActivations] = []

        def listen(name: str) -> Callable[..., None]:
            def hook(module: nn.Module, inputs: Any, output: Any) -> None:
                calls = sum(row.layer.partition(" call ")[0] == name for row in found)
                label = f"{name} call {calls + 1}" if calls else name  # a module used again
                found.append(_measured(step, label, module, output))

            return hook

        removers = [m.register_forward_hook(listen(name)) for name, m in self._watched.items()]
        try:
            with intact(self.model, self.training):
                self.model(self.x)
        finally:
            for remove in removers:
                remove()
        self.rows += found
        return found

    def of(self, layer: str) -> list[LayerActivations]:
        """Return the rows of one layer, step by step."""
        return [row for row in self.rows if row.layer == layer]

    def figure(self, title: str = "") -> Any:
        """Return the means, what is saturated, and the latest histograms, layer by layer.

        Raises ValueError if nothing was measured, RenderError without Matplotlib.
        """
        if not self.rows:
            raise ValueError("nothing was measured yet; call .measure(step) while training")
        saturating = any(row.saturated is not None for row in self.rows)
        paper = figure("activations", 11.4 if saturating else 8.2, 4.3)
        means, *middle, last = paper.subplots(1, 3 if saturating else 2)
        _draw_means(means, self)
        for axes in middle:
            _draw_saturation(axes, self)
        _draw_histograms(last, self)
        handles = means.get_legend_handles_labels()
        paper.legend(*handles, loc="outside upper center", ncols=6, frameon=False)
        if title:
            paper.suptitle(title, fontsize=11)
        mode = "training" if self.training else "evaluation"
        paper.supxlabel(
            f"Over {len(self.x):,} fixed inputs and all units, model in {mode} mode.",
            fontsize=8.5, color=GREY,
        )  # fmt: skip
        return paper


def activations(
    model: nn.Module, x: Any, layers: Sequence[str] | None = None, *, training: bool = False
) -> Activations:
    """Return an `Activations`, whose ``measure(step)`` is called while the model is trained.

    >>> seen = viz.activations(model, test.x[:300])
    >>> for step, (x, y) in enumerate(loader):
    ...     if step % 20 == 0:
    ...         seen.measure(step)
    ...     ...
    >>> seen.save("activations.png")

    - `x`: the inputs, always the same (Glorot and Bengio took 300 that are not trained on);
    - `layers`: names of modules, as ``model.named_modules()`` has them; all activations (`nn.Tanh`,
      `nn.ReLU`, …, no softmax) if not given;
    - `training`: run the model in training mode, with dropout and with batch norm's batch
      statistics; else in evaluation mode, as it is used.

    Raises ValueError where there is no such layer, or none at all, or no input; ``measure`` raises
    TypeError for a layer that returns more than a tensor.
    """
    return Activations(model, x, layers, training)


def _watched(model: nn.Module, layers: Sequence[str] | None) -> dict[str, nn.Module]:
    """Return the modules to listen at, by name."""
    modules = {name: module for name, module in model.named_modules() if name}
    if layers is not None:
        for name in layers:
            if name not in modules:
                raise ValueError(f"no layer {name!r}; there are {', '.join(modules)}")
        return {name: modules[name] for name in layers}
    found = {
        name: module
        for name, module in modules.items()
        if type(module).__module__ == nn.Tanh.__module__ and not isinstance(module, nn.Softmax)
    }
    if not found:
        raise ValueError(
            f"the model has no activation of minigrad.nn (Tanh, ReLU, …); give layers=, names of "
            f"its modules, which are {', '.join(modules) or 'none'}"
        )
    return found


def _measured(step: int, layer: str, module: nn.Module, output: Any) -> LayerActivations:
    """Return the figures of one output."""
    xp = backend.cpu
    if not isinstance(output, Tensor):
        raise TypeError(
            f"layer {layer!r} returned a {type(output).__name__}; measured are layers that "
            "return one tensor; name such ones in layers="
        )
    values = output.numpy().astype("float64").reshape(-1)
    bounds = next((b for kind, b in BOUNDS.items() if isinstance(module, kind)), None)
    saturated = None
    if bounds is not None:
        margin = _NEAR * (bounds[1] - bounds[0])
        outer = (values < bounds[0] + margin) | (values > bounds[1] - margin)
        saturated = float(outer.mean())
    elif isinstance(module, nn.ReLU):
        saturated = float((values == 0).mean())
    finite = values[xp.isfinite(values)]
    counts, edges = xp.histogram(finite, _BINS, bounds)
    shares = xp.percentile(values, [2, 25, 50, 75, 98])
    return LayerActivations(
        step, layer, float(values.mean()), float(values.std()), tuple(shares.tolist()), saturated,
        counts, edges,
    )  # fmt: skip


def _label(seen: Activations, layer: str) -> str:
    """Return what a legend calls a layer: its number from the input up, and its kind and name."""
    name = layer.partition(" call ")[0]
    kind = type(seen._watched[name]).__name__
    return f"layer {seen.layers.index(layer) + 1}: {layer} ({kind})"


def _draw_means(axes: Any, seen: Activations) -> None:
    """Draw each layer's mean over the steps, with a band of one standard deviation."""
    for i, layer in enumerate(seen.layers):
        rows = seen.of(layer)
        steps, means = [row.step for row in rows], [row.mean for row in rows]
        look = style(i)
        low, high = ([row.mean + sign * row.std for row in rows] for sign in (-1, 1))
        axes.fill_between(steps, low, high, color=look["color"], alpha=0.12, lw=0)
        every = marked(len(rows), 6)
        axes.plot(
            steps, means, **look, lw=1.8, ms=5, markevery=every, label=plain(_label(seen, layer))
        )
    axes.set_title("mean, ± one standard deviation", fontsize=10, loc="left")
    style_axes(axes, "step")
    axes.set_ylabel("activation", color=GREY)


def _draw_saturation(axes: Any, seen: Activations) -> None:
    """Draw the share of each layer's outputs that is saturated, in percent."""
    kinds = set()
    for i, layer in enumerate(seen.layers):
        rows = [row for row in seen.of(layer) if row.saturated is not None]
        if rows:
            kinds.add(isinstance(seen._watched[layer.partition(" call ")[0]], nn.ReLU))
        shares = [100 * row.saturated for row in rows if row.saturated is not None]
        every = marked(len(rows), 6)
        axes.plot([row.step for row in rows], shares, **style(i), lw=1.8, ms=5, markevery=every)
    title = "outputs that are 0" if kinds == {True} else "saturated outputs"
    axes.set_title(title + " (ReLU: that are 0)" * (len(kinds) > 1), fontsize=10, loc="left")
    style_axes(axes, "step")
    axes.set_ylim(0, 101)
    axes.set_ylabel("% of outputs", color=GREY)


def _draw_histograms(axes: Any, seen: Activations) -> None:
    """Draw each layer's latest histogram as a ridge, the first layer lowest."""
    for i, layer in enumerate(seen.layers):
        row = seen.of(layer)[-1]
        highest = max(int(row.counts.max()), 1)
        heights = [i + 0.85 * count / highest for count in row.counts.tolist()]
        middles = ((row.edges[:-1] + row.edges[1:]) / 2).tolist()
        color = style(i)["color"]
        axes.fill_between(middles, i, heights, step="mid", color=color, alpha=0.35, lw=0)
        axes.step(middles, heights, where="mid", color=color, lw=1.2)
    axes.set_yticks(range(len(seen.layers)), [str(i + 1) for i in range(len(seen.layers))])
    axes.set_title(f"histograms at step {seen.rows[-1].step:,}", fontsize=10, loc="left")
    style_axes(axes, "activation")
    axes.set_ylabel("layer", color=GREY)
