"""GradientFlow: what passes through each layer, and whether it vanishes or explodes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

from minigrad.legal import integer
from minigrad.training.callback import Callback
from minigrad.training.probe import Probe

if TYPE_CHECKING:
    from minigrad.training.loop import Loop


_SAID = {
    "vanishing": "vanishing gradients in",
    "exploding": "exploding gradients in",
    "saturated": "units died or saturated, so that hardly a gradient passes, in",
}
_ADVICE = {
    "saturated": "; mostly the steps were too large: a smaller learning rate or clipping the "
    "gradient may help"
}


class GradientFlow(Callback):
    """Measure, layer by layer, how activations and gradients grow or shrink.

    Every `every` steps, starting with the first, each module that has parameters of its own adds a
    row to ``rows``: ``step``, ``layer`` (its name) and the Euclidean norms, over the batch,

    - ``activation`` ‖h‖ of its output and ``signal`` ‖∂L/∂h‖ of the gradient that arrives there;
    - ``gradient`` ‖∂L/∂θ‖ and ``update`` ‖Δθ‖ of its parameters, and ``ratio`` ‖Δθ‖/‖θ‖.

    A layer's gradient is **vanishing** if its signal is below `vanishing` times that of the last
    layer, **exploding** if above `exploding` times, or if a norm is not finite: the signal at the
    last layer is what there is to send back. It is **saturated** rather than vanishing if it was
    well, or exploding, in an earlier measurement: then it is not the depth that stops the gradient,
    but units that training has driven to where their derivative is nearly 0 (dead, of a ReLU).
    ``verdicts`` has the latest such finding by the layer's name, and a note in the history says it.
    `table` is the latest measurement as text.
    """

    order: ClassVar[int] = 20

    def __init__(self, every: int = 100, vanishing: float = 1e-3, exploding: float = 1e3) -> None:
        if not 0 < vanishing < 1 < exploding:
            raise ValueError(
                f"vanishing={vanishing!r}, exploding={exploding!r}; legal is 0 < vanishing < 1 "
                "and 1 < exploding"
            )
        self.every = integer("every", every)
        self.vanishing = vanishing
        self.exploding = exploding
        self.rows: list[dict[str, Any]] = []
        self.verdicts: dict[str, str] = {}
        self._probe: Probe | None = None

    def on_train_begin(self, loop: Loop) -> None:
        """Listen at the layers."""
        self._probe = Probe(loop.model)
        self._prepare(loop)

    def _prepare(self, loop: Loop) -> None:
        """Begin to measure, if the next step is due."""
        if self._probe is not None and loop.step % self.every == 0:
            self._probe.begin()

    def on_step_end(self, loop: Loop) -> None:
        """Measure the parameters and judge."""
        if self._probe is not None and self._probe.begun:
            self._judge(loop, [_row(loop.step, measured) for measured in self._probe.end()])
        self._prepare(loop)

    def _judge(self, loop: Loop, rows: list[dict[str, Any]]) -> None:
        first = not any("signal" in row for row in self.rows)
        self.rows += rows
        heard = [row for row in rows if "signal" in row]
        if not heard:
            return
        last = heard[-1]
        found: dict[str, list[str]] = {verdict: [] for verdict in _SAID}
        for row in heard:
            verdict, before = self._verdict(row, last["signal"]), self.verdicts.get(row["layer"])
            if verdict == "vanishing" and not first and before != verdict:
                verdict = "saturated"
            if verdict and before != verdict:
                self.verdicts[row["layer"]] = verdict
                found[verdict].append(row["layer"])
        for verdict, layers in found.items():
            if layers:
                worst = next(row for row in heard if row["layer"] == layers[0])
                loop.note(
                    f"step {loop.step}: {_SAID[verdict]} {', '.join(layers)} "
                    f"(norm {worst['signal']:.2g} at {layers[0]}, "
                    f"{last['signal']:.2g} at {last['layer']}){_ADVICE.get(verdict, '')}"
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

    def state_dict(self) -> dict[str, Any]:
        """Return what was measured and found so far."""
        return {"rows": self.rows, "verdicts": self.verdicts}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.rows = state["rows"]
        self.verdicts = state["verdicts"]

    def close(self) -> None:
        """Stop listening."""
        if self._probe is not None:
            self._probe.close()
            self._probe = None


def _row(step: int, measured: dict[str, Any]) -> dict[str, Any]:
    """Return a row of `rows`: the sizes of the parameters become ratios."""
    row = {"step": step, **measured}
    size = row.pop("size", 0.0)
    if size and "update" in row:
        row["ratio"] = row["update"] / size
    return row
