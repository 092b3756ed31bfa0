"""EarlyStopping: end training when the validation error says that it no longer helps."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

from minigrad import backend
from minigrad.backend import Array
from minigrad.legal import finite, integer
from minigrad.training.callback import Callback

if TYPE_CHECKING:
    from minigrad.training.loop import Loop


class EarlyStopping(Callback):
    """Stop when the error on held-out data has stopped falling; keep the best weights.

    The error E(t) after epoch t is the column `monitor` of the history, by default the test loss
    or, without a test set, the training loss; for an accuracy it is 1 − accuracy. `criterion` is

    - ``"patience"``: stop after `patience` epochs in a row without E(t) < best − `min_delta`;
    - ``"GL"``, generalization loss: stop as soon as 100·(E(t) / min_{t' ≤ t} E(t') − 1) > `alpha`;
    - ``"UP"``: looked at after every `strip` epochs; stop when the error has increased over that of
      `strip` epochs before, `successive` times in a row.

    GL_α and UP_s with strips of 5 are those of L. Prechelt, "Early stopping, but when?", 1998;
    UP with ``successive=1, strip=1`` stops as soon as the error increases at all.

    With `restore_best` the model ends with the weights of its lowest error, however training ended.
    An error that is NaN counts as infinite.

    Raises ValueError for arguments that are not legal.
    """

    order: ClassVar[int] = 20

    def __init__(
        self,
        patience: int = 5,
        min_delta: float = 0.0,
        restore_best: bool = True,
        monitor: str | None = None,
        criterion: str = "patience",
        alpha: float = 5.0,
        successive: int = 3,
        strip: int = 5,
    ) -> None:
        if criterion not in ("patience", "GL", "UP"):
            raise ValueError(f'criterion={criterion!r}; legal are "patience", "GL" and "UP"')
        self.patience = integer("patience", patience)
        self.min_delta = finite("min_delta", min_delta)
        self.restore_best = restore_best
        self.monitor = monitor
        self.criterion = criterion
        self.alpha = finite("alpha", alpha)
        self.successive = integer("successive", successive)
        self.strip = integer("strip", strip)
        self.errors: list[float] = []
        self.best_epoch = 0
        self._waited_from = (math.inf, 0)  # the error that patience compares with, and its epoch
        self._best: dict[str, Any] | None = None

    def on_epoch_end(self, loop: Loop) -> None:
        """Look at the epoch's error."""
        name = monitored(loop, self.monitor)
        value = loop.history.rows[-1][name]
        error = 1 - value if "accuracy" in name else value
        self.errors.append(math.inf if math.isnan(error) else error)
        epoch = len(self.errors)
        if not self.best_epoch or self.errors[-1] < self.errors[self.best_epoch - 1]:
            self.best_epoch = epoch
            if self.restore_best:
                self._best = _weights(loop)
        if self.errors[-1] < self._waited_from[0] - self.min_delta:
            self._waited_from = (self.errors[-1], epoch)
        reason = {"patience": self._patience, "GL": self._loss, "UP": self._increase}
        why = reason[self.criterion]()
        if why:
            loop.stop(f"{name} {why} (best: epoch {self.best_epoch})")

    def _patience(self) -> str:
        waited = len(self.errors) - self._waited_from[1]
        return f"has not improved for {waited} epochs" if waited >= self.patience else ""

    def _loss(self) -> str:
        lowest = self.errors[self.best_epoch - 1]
        # The definition, multiplied out, so that an error of 0 needs no case of its own.
        if 100 * (self.errors[-1] - lowest) > self.alpha * lowest:
            return f"is more than {self.alpha:g} % above its lowest"
        return ""

    def _increase(self) -> str:
        ends = self.errors[:: -self.strip][: self.successive + 1]  # the latest first
        if len(self.errors) % self.strip or len(ends) <= self.successive:
            return ""
        if all(ends[i] > ends[i + 1] for i in range(self.successive)):
            return f"increased in {self.successive} strips of {self.strip} epochs in a row"
        return ""

    def on_train_end(self, loop: Loop) -> None:
        """Put the best weights back."""
        if self.restore_best and self._best is not None and self.best_epoch < len(self.errors):
            loop.model.load_state_dict(self._best, strict=False)  # what is shared has one name
            history = loop.history
            history.diverged = history.is_far(history.rows[self.best_epoch - 1]["loss"])
            loop.note(f"the weights of epoch {self.best_epoch}, the best, were restored")

    def state_dict(self) -> dict[str, Any]:
        """Return the errors so far and the best weights, which move to host memory for it."""
        if self._best is not None:
            self._best = {n: backend.of((x,)).to_host(x) for n, x in self._best.items()}
        return {
            "errors": self.errors,
            "best_epoch": self.best_epoch,
            "waited_from": self._waited_from,
            "best": self._best,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.errors = state["errors"]
        self.best_epoch = state["best_epoch"]
        self._waited_from = state["waited_from"]
        self._best = state["best"]


def _weights(loop: Loop) -> dict[str, Array]:
    """Return copies of the parameters and buffers by name, where they live.

    Those of the optimizer are copied as its vectors, in one pass and without a wait for the device.
    """
    copies: dict[int, Array] = getattr(loop.optimizer, "copies", dict)()
    model = loop.model
    named = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    return {n: copies[id(x)] if id(x) in copies else x.data.copy() for n, x in named.items()}


def monitored(loop: Loop, name: str | None) -> str:
    """Return the column to watch, by default the test loss or, without one, the training loss.

    Raises ValueError if the history has no such column.
    """
    row = loop.history.rows[-1]
    if name is None:
        return "test_loss" if "test_loss" in row else "loss"
    if name not in row:
        raise ValueError(f"monitor={name!r}; this run measures {', '.join(row)}")
    return name
