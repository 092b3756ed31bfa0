"""What is measured: the means of an epoch, right answers, a model on a whole dataset."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from minigrad import backend, ops
from minigrad.backend import Array, Device
from minigrad.mode import no_grad
from minigrad.tensor import Tensor


def correct(output: Tensor, target: Tensor) -> Array | None:
    """Return how many rows of `output` are largest at the class that `target` names.

    `output` has shape (n, classes); `target` holds n class indices or n rows of probabilities. None
    for everything else, such as a regression.
    """
    scores, goal = output.data, target.data
    if scores.ndim != 2 or scores.shape[1] < 2:
        return None
    if goal.shape == scores.shape:
        goal = ops.argmax(goal, 1)
    elif goal.dtype.kind != "i" or goal.shape != scores.shape[:1]:
        return None
    return (ops.argmax(scores, 1) == goal).sum()


class Meter:
    """Sums over batches. They stay on the device until read, so that no step waits for it."""

    def __init__(self) -> None:
        self.samples = 0
        self.loss: Any = 0.0
        self.penalty: Any = 0.0
        self.correct: Any = 0
        self.counted = 0
        self.report: dict[str, Any] = {}  # what a second-order method says of its steps

    def add(self, n: int, weight: int, loss: Tensor, right: Array | None) -> None:
        """Add a batch of n rows; the loss counts `weight` times."""
        self.samples += n
        self.loss = self.loss + loss.data.astype("float64") * weight
        if right is not None:
            self.correct = self.correct + right
            self.counted += n

    def note(self, report: Any) -> None:
        """Add what a step's report counts, and take over the rest that is worth a line."""
        for name, value in vars(report).items() if report is not None else ():
            if name in ("nfev", "njev", "nhev", "inner"):
                self.report[name] = self.report.get(name, 0) + value
            elif name in ("gradient_norm", "step_length", "reason"):
                self.report[name] = value

    def means(self) -> dict[str, float]:
        """Return the mean loss and the accuracy, where there is one."""
        means = {"loss": float(self.loss) / max(self.samples, 1)}
        if self.counted:
            means["accuracy"] = int(self.correct) / self.counted
        return means

    def state_dict(self) -> dict[str, Any]:
        """Return the sums as numbers."""
        return {
            "samples": self.samples,
            "loss": float(self.loss),
            "penalty": float(self.penalty),
            "correct": int(self.correct),
            "counted": self.counted,
            "report": self.report,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`; the sums come out the same to the last bit."""
        vars(self).update(state)


def weight(loss_fn: Any, n: int) -> int:
    """Return how often the loss of a batch of n rows counts: it is a mean over them, or a sum."""
    return 1 if getattr(loss_fn, "reduction", "mean") == "sum" else n


def evaluate(
    model: Any, loss_fn: Callable[..., Any], data: Any, batch_size: int = 1000
) -> dict[str, float]:
    """Return the mean loss and, for a classifier, the accuracy of a model on a dataset or loader.

    The model computes in eval mode, without recording, in batches; each module's mode is then put
    back to what it was.
    """
    loader = batches(data, batch_size, model)
    meter = Meter()
    with evaluation(model):
        for x, y in loader.batches(0):
            output = model(x)
            n = len(x)
            meter.add(n, weight(loss_fn, n), loss_fn(output, y), correct(output, y))
    return meter.means()


@contextmanager
def evaluation(model: Any) -> Iterator[None]:
    """Put a model in eval mode, record nothing, and afterwards put each module's mode back."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training


def default_batch_size(optimizer: Any, rows: int) -> int:
    """Return the batch size for a method: all rows if it needs one function to go down, else 32."""
    return rows if getattr(optimizer, "full_batch", False) else 32


def batches(data: Any, batch_size: int, model: Any, **options: Any) -> Any:
    """Return the loader of a dataset, or a loader, with batches for a model, on its device.

    A dataset moves there as a whole, if there is room for it. Data in float64 become float32, if
    the model has no parameter in float64: else all that is computed would be in float64.
    """
    device = device_of(model)
    if all(parameter.dtype != "float64" for parameter in model.parameters()):
        data = data.single() if hasattr(data, "single") else data
    if hasattr(data, "loader"):
        if backend.get(device).has_room(data.x.nbytes + data.y.nbytes):
            data = data.to(device)
        return data.loader(batch_size, device=device, **options)
    if hasattr(data, "batches"):
        return data.on(device) if hasattr(data, "on") else data
    raise TypeError(
        f"training data are a Dataset or a Loader, not {type(data).__name__}; "
        "wrap arrays in datasets.Dataset(x, y)"
    )


def device_of(model: Any) -> Device:
    """Return where a model's parameters live."""
    return next((parameter.device for parameter in model.parameters()), "cpu")
