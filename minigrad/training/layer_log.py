"""LayerLog: gradient flow and histograms, layer by layer over time, as a file of the run.

What is not here: how a step is measured (`probe.py`), pictures of it (`minigrad.viz.reports`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar

from minigrad import backend
from minigrad.backend import Array
from minigrad.nn import Module
from minigrad.tensor import Tensor
from minigrad.training.callback import Callback
from minigrad.training.logs import finite, rows_of
from minigrad.training.probe import Probe
from minigrad.training.store import write_atomically

if TYPE_CHECKING:
    from minigrad.training.loop import Loop

BINS = 32
_SAMPLE = 8192  # elements of an array that a histogram looks at
_MOST = 32  # histograms of weights, and of activations
_DENSE = 40  # epochs that are all measured


class LayerLog(Callback):
    """One JSON object a line for each step that is measured: ``layers.jsonl`` of the run folder.

    Measured are the first step and the last of every epoch, from the 41st on of every second, from
    the 81st of every fourth, and so on: what it costs is soon nothing, and a long run stays small.
    A line has ``epoch`` (a fraction, for the first step), ``step``, ``gradient_norm`` ‖∂L/∂θ‖ (as
    the optimizer met it, clipped), ``update_ratio`` ‖Δθ‖/‖θ‖, and

    - ``layers``: the rows of `GradientFlow`, with ``ratio`` ‖Δθ‖/‖θ‖;
    - ``modules``: the kind of each module that is named below, such as "Linear";
    - ``weights``: by the name of a parameter of two dimensions or more, a histogram after the step:
      lowest value, highest value, counts of 32 equal bins between;
    - ``activations``: the same by the name of a module without submodules, of its output.

    Histograms are of about 8,192 elements, taken at equal distances, and there are at most 32 of
    each kind, spread over the depth. What is not finite is null in a norm, left out of a histogram.
    A resumed run first removes the lines after its checkpoint. ``latest`` is the last line.

    Raises ValueError, when training begins, without a run folder.
    """

    order: ClassVar[int] = 75

    def __init__(self) -> None:
        self.path: Path | None = None
        self.latest: dict[str, Any] | None = None
        self._file: IO[str] | None = None
        self._probe: Probe | None = None
        self._removers: list[Callable[[], None]] = []
        self._weights: dict[str, Tensor] = {}
        self._outputs: dict[str, Array] = {}
        self._modules: dict[str, str] = {}

    def on_train_begin(self, loop: Loop) -> None:
        """Open the file, cut back to where the checkpoint was, and listen."""
        if loop.run is None:
            raise ValueError("LayerLog() needs fit(..., run=FOLDER)")
        path = self.path = loop.run.layers
        rows = rows_of(path) if loop.resumed and path.exists() else []
        kept = [json.dumps(row) + "\n" for row in rows if row.get("step", 0) <= loop.step]
        write_atomically(path, "".join(kept).encode())
        self._file = path.open("a", encoding="utf-8", buffering=1)
        if not isinstance(loop.model, Module):
            return
        self._probe = Probe(loop.model)
        matrices = [(n, p) for n, p in loop.model.named_parameters() if len(p.shape) > 1]
        self._weights = dict(_spread(matrices))
        modules = dict(loop.model.named_modules())
        leaves = _spread([(n, m) for n, m in modules.items() if not any(m.children())])
        for name, module in leaves:
            self._removers.append(module.register_forward_hook(self._hook(name)))
        named = {*self._probe.layers, *dict(leaves)}
        self._modules = {n: type(m).__name__ for n, m in modules.items() if n in named}

    def _hook(self, name: str) -> Callable[..., None]:
        def hook(module: Any, inputs: Any, output: Any) -> None:
            listening = self._probe is not None and self._probe.listening
            if listening and isinstance(output, Tensor) and name not in self._outputs:
                self._outputs[name] = _sample(output.data)

        return hook

    def on_epoch_begin(self, loop: Loop) -> None:
        """Begin to measure, if the epoch's first step is due."""
        self._prepare(loop)

    def _prepare(self, loop: Loop) -> None:
        last = loop.batch + 1 == len(loop.loader) and _is_measured(loop.epoch + 1)
        if self._probe is not None and (loop.step == 0 or last):
            self._outputs = {}
            self._probe.begin()

    def on_step_end(self, loop: Loop) -> None:
        """Write the line of a step that was measured."""
        if self._probe is not None and self._probe.begun:
            self._write(loop, self._probe.end())
        if loop.batch < len(loop.loader):
            self._prepare(loop)

    def _write(self, loop: Loop, layers: list[dict[str, Any]]) -> None:
        norms = {kind: math.hypot(*(r.get(kind, 0.0) for r in layers)) for kind in _TOTALS}
        for row in layers:
            size = row.pop("size", 0.0)
            if size:
                row["ratio"] = row.get("update", 0.0) / size
        weights = {name: _sample(p.data) for name, p in self._weights.items()}
        self.latest = finite(
            {
                "epoch": loop.epoch + loop.batch / len(loop.loader),
                "step": loop.step,
                "gradient_norm": norms["gradient"],
                "update_ratio": norms["update"] / norms["size"] if norms["size"] else 0.0,
                "modules": self._modules,
                "layers": layers,
                "weights": _histograms(weights),
                "activations": _histograms(self._outputs),
            }
        )
        assert self._file is not None
        self._file.write(json.dumps(self.latest, allow_nan=False) + "\n")

    def close(self) -> None:
        """Close the file and stop listening."""
        for remove in self._removers:
            remove()
        self._removers = []
        if self._probe is not None:
            self._probe.close()
            self._probe = None
        if self._file is not None:
            self._file.close()
            self._file = None


_TOTALS = ("gradient", "update", "size")


def _is_measured(epoch: int) -> bool:
    """Say whether the end of an epoch, counted from 1, is measured."""
    stride = 1
    while epoch > _DENSE * stride:
        stride *= 2
    return epoch % stride == 0


def _spread(items: list[Any]) -> list[Any]:
    """Return some of the items, from the first to the last at equal distances."""
    if len(items) <= _MOST:
        return items
    return [items[round(i * (len(items) - 1) / (_MOST - 1))] for i in range(_MOST)]


def _sample(array: Array) -> Array:
    """Return a copy of elements at equal distances, odd: widths are mostly even."""
    flat = array.reshape(-1)
    return flat[:: (flat.size // _SAMPLE) | 1].copy()


def _histograms(samples: dict[str, Array]) -> dict[str, list[Any]]:
    """Return lowest value, highest value and counts by name, of the finite values."""
    xp, found = backend.cpu, {}
    for name, sample in samples.items():
        values = backend.of((sample,)).to_host(sample).astype("float64")
        values = values[xp.abs(values) < 1e300]  # so that a range of them is finite too
        if values.size:
            counts, edges = xp.histogram(values, BINS)
            found[name] = [float(edges[0]), float(edges[-1]), counts.tolist()]
    return found
