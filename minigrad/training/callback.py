"""Callback: what a training loop calls at its turning points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from minigrad.training.loop import Loop


class Callback:
    """Something that watches a training loop or steers it; every hook is given the `Loop`.

    Callbacks run in the order of ``order``, then as they were given: those that change what is
    saved come before the logs (80), the checkpoint (90) and the display (100).

    A callback with a memory returns it from `state_dict`, so that a resumed run goes on with it.
    """

    order: ClassVar[int] = 50

    def on_train_begin(self, loop: Loop) -> None:
        """Before the first step; ``loop.resumed`` says whether a checkpoint was loaded."""

    def on_epoch_begin(self, loop: Loop) -> None:
        """Before the first step of an epoch, and of what a resumed run has left of one."""

    def on_step_end(self, loop: Loop) -> None:
        """After the optimizer's step; the gradients are still there."""

    def on_epoch_end(self, loop: Loop) -> None:
        """After the evaluation; ``loop.history.rows[-1]`` is the epoch's row."""

    def on_train_end(self, loop: Loop) -> None:
        """After the last epoch; not called if training ends in an exception."""

    def close(self) -> None:
        """Let go of files and displays; called whatever happened."""

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run must know: nested dicts and lists of numbers and arrays."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` returned."""

    def __repr__(self) -> str:
        simple = (int, float, str, type(None))
        shown = {k: v for k, v in vars(self).items() if k[0] != "_" and isinstance(v, simple)}
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in shown.items())})"
