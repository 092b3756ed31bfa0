"""GradientFlow: what passes through each layer, and whether it vanishes or explodes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from minigrad import backend
from minigrad.backend import Array
from minigrad.tensor import Tensor
from minigrad.training.callback import Callback

if TYPE_CHECKING:
    from minigrad.training.loop import Loop


class GradientFlow(Callback):
    """Measure, layer by layer, how activations and gradients grow or shrink.

    Every `every` steps, starting with the first, each module that has parameters of its own adds a
    row to ``rows``: ``step``, ``layer`` (its name) and the Euclidean norms, over the batch,

    - ``activation`` ‖h‖ of its output and ``signal`` ‖∂L/∂h‖ of the gradient that arrives there;
    - ``gradient`` ‖∂L/∂θ‖ and ``update`` ‖Δθ‖ of its parameters, and ``ratio`` ‖Δθ‖/‖θ‖.

    A layer's gradient is **vanishing** if its signal is below `vanishing` times that of the last
    layer, **exploding** if above `exploding` times, or if a norm is not finite: the signal at the
    last layer is what there is to send back. ``verdicts`` has the latest such finding by the
    layer's name, and a note in the history says it. `table` is the latest measurement as text.
    """

    order: ClassVar[int] = 20

    def __init__(self, every: int = 100, vanishing: float = 1e-3, exploding: float = 1e3) -> None:
        if not isinstance(every, int) or every < 1:
            raise ValueError(f"every={every!r}; legal is an integer from 1")
        if not 0 < vanishing < 1 < exploding:
            raise ValueError(
                f"vanishing={vanishing!r}, exploding={exploding!r}; legal is 0 < vanishing < 1 "
                "and 1 < exploding"
            )
        self.every = every
        self.vanishing = vanishing
        self.exploding = exploding
        self.rows: list[dict[str, Any]] = []
        self.verdicts: dict[str, str] = {}
        self._layers: dict[str, list[Tensor]] = {}
        self._removers: list[Callable[[], None]] = []
        self._before: dict[str, list[Array]] | None = None  # parameters, while a step is measured
        self._squares: dict[tuple[str, str], Array] = {}  # on the device, until all are read

    def on_train_begin(self, loop: Loop) -> None:
        """Listen at the layers."""
        self._layers = {}
        for name, parameter in loop.model.named_parameters():
            self._layers.setdefault(name.rpartition(".")[0], []).append(parameter)
        for name, module in loop.model.named_modules():
            if name in self._layers:
                self._removers.append(module.register_forward_hook(self._hook(name)))
        self._prepare(loop)

    def _prepare(self, loop: Loop) -> None:
        """Note the parameters, if the next step is to be measured."""
        self._before = None
        if loop.step % self.every == 0:
            self._squares = {}
            self._before = {
                name: [p.data.copy() for p in parameters]
                for name, parameters in self._layers.items()
            }

    def _hook(self, layer: str) -> Callable[..., None]:
        def hook(module: Any, inputs: Any, output: Any) -> None:
            if self._before is None or not isinstance(output, Tensor) or not output.requires_grad:
                return
            self._add(layer, "activation", output.data)
            output.register_hook(lambda gradient: self._add(layer, "signal", gradient.data))

        return hook

    def _add(self, layer: str, kind: str, array: Array) -> None:
        key = (layer, kind)
        self._squares[key] = self._squares.get(key, 0.0) + _square(array)

    def _read(self) -> dict[tuple[str, str], float]:
        """Return the sums of squares as numbers; of each device all at once."""
        found: dict[tuple[str, str], float] = {}
        devices: dict[str, list[tuple[str, str]]] = {}
        for key, square in self._squares.items():
            devices.setdefault(backend.device_of(square), []).append(key)
        for keys in devices.values():
            squares = [self._squares[key] for key in keys]
            xp = backend.of(squares)
            numbers = xp.to_host(xp.stack(squares)).tolist()
            found.update(zip(keys, numbers, strict=True))
        return found

    def on_step_end(self, loop: Loop) -> None:
        """Measure the parameters and judge."""
        if self._before is not None:
            for layer, parameters in self._layers.items():
                for parameter, before in zip(parameters, self._before[layer], strict=True):
                    if parameter.grad is not None:
                        self._add(layer, "gradient", parameter.grad.data)
                    self._add(layer, "update", parameter.data - before)
                    self._add(layer, "size", before)
            squares = self._read()
            self._judge(loop, [self._row(loop.step, layer, squares) for layer in self._layers])
        self._prepare(loop)

    def _row(self, step: int, layer: str, squares: dict[tuple[str, str], float]) -> dict[str, Any]:
        kinds = ("activation", "signal", "gradient", "update", "size")
        norms = {k: math.sqrt(squares[layer, k]) for k in kinds if (layer, k) in squares}
        size = norms.pop("size", 0.0)
        if size and "update" in norms:
            norms["ratio"] = norms["update"] / size
        return {"step": step, "layer": layer, **norms}

    def _judge(self, loop: Loop, rows: list[dict[str, Any]]) -> None:
        self.rows += rows
        heard = [row for row in rows if "signal" in row]
        if not heard:
            return
        last = heard[-1]
        found: dict[str, list[str]] = {"vanishing": [], "exploding": []}
        for row in heard:
            verdict = self._verdict(row, last["signal"])
            if verdict and self.verdicts.get(row["layer"]) != verdict:
                self.verdicts[row["layer"]] = verdict
                found[verdict].append(row["layer"])
        for verdict, layers in found.items():
            if layers:
                worst = next(row for row in heard if row["layer"] == layers[0])
                loop.note(
                    f"step {loop.step}: {verdict} gradients in {', '.join(layers)} "
                    f"(norm {worst['signal']:.2g} at {layers[0]}, "
                    f"{last['signal']:.2g} at {last['layer']})"
                )

    def _verdict(self, row: dict[str, Any], reference: float) -> str:
        if not all(math.isfinite(value) for key, value in row.items() if key != "layer"):
            return "exploding"
        if row["signal"] > self.exploding * reference:
            return "exploding"
        return "vanishing" if row["signal"] < self.vanishing * reference else ""

    def table(self) -> str:
        """Return the latest measurement as a table."""
        if not self.rows:
            return "nothing measured yet"
        latest = [row for row in self.rows if row["step"] == self.rows[-1]["step"]]
        width = max(len("layer"), *(len(row["layer"]) for row in latest))
        columns = ("activation", "signal", "gradient", "update", "ratio")
        lines = [" ".join([f"{'layer':{width}}", *(f"{column:>10}" for column in columns)])]
        for row in latest:
            numbers = (f"{row[c]:10.3g}" if c in row else " " * 10 for c in columns)
            verdict = self.verdicts.get(row["layer"], "")
            lines.append(" ".join([f"{row['layer']:{width}}", *numbers, verdict]).rstrip())
        return "\n".join(lines)

    def close(self) -> None:
        """Stop listening."""
        for remove in self._removers:
            remove()
        self._removers = []
        self._before = None


def _square(array: Array) -> Array:
    """Return the sum of squares, in float64 so that it cannot overflow before the norm does."""
    flat = array.astype("float64").reshape(-1)
    return backend.of((flat,)).dot(flat, flat)
