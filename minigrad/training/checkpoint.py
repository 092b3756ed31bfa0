"""Checkpoint: a run that is killed at any moment goes on, and ends in the same weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from minigrad.legal import integer
from minigrad.training.callback import Callback
from minigrad.training.store import library, resume, save_checkpoint, save_tensors

if TYPE_CHECKING:
    from minigrad.training.loop import Loop


class Checkpoint(Callback):
    """Save the whole state of training, from which ``fit(..., resume=True)`` goes on bit for bit.

    - `path`: the file; None is ``checkpoint.safetensors`` of the run folder;
    - `every`: epochs between checkpoints; `every_steps`: steps between further ones within epochs.

    One is also written before the first step. At the end the weights alone go to
    ``model.safetensors`` beside it (with those that EarlyStopping restored), for
    ``model.load_state_dict(safetensors.numpy.load_file(...))``.

    Raises ValueError for numbers below 1 and, when training begins, ImportError without
    safetensors.
    """

    order: ClassVar[int] = 90

    def __init__(
        self, path: str | Path | None = None, every: int = 1, every_steps: int | None = None
    ) -> None:
        self.path = None if path is None else Path(path)
        self.every = integer("every", every)
        self.every_steps = None if every_steps is None else integer("every_steps", every_steps)

    def file(self, loop: Loop) -> Path:
        """Return the file of this checkpoint."""
        if self.path is not None:
            return self.path
        if loop.run is None:
            raise ValueError("Checkpoint() without a path needs fit(..., run=FOLDER)")
        return loop.run.checkpoint

    def save(self, loop: Loop) -> None:
        """Write the checkpoint."""
        save_checkpoint(
            self.file(loop),
            model=loop.model,
            optimizer=loop.optimizer,
            loader=loop.loader,
            loop=loop,
        )

    def load(self, loop: Loop) -> bool:
        """Load the checkpoint, if the file is there, and say whether it was."""
        path = self.file(loop)
        if not path.exists():
            return False
        resume(path, loop=loop, loader=loop.loader, model=loop.model, optimizer=loop.optimizer)
        return True

    def on_train_begin(self, loop: Loop) -> None:
        """Write the first checkpoint."""
        library()
        if not loop.resumed:
            self.file(loop).parent.mkdir(parents=True, exist_ok=True)
            self.save(loop)

    def on_step_end(self, loop: Loop) -> None:
        """Write a checkpoint within the epoch, if it is due."""
        if self.every_steps and loop.step % self.every_steps == 0:
            self.save(loop)

    def on_epoch_end(self, loop: Loop) -> None:
        """Write a checkpoint, if it is due or the last."""
        if loop.epoch % self.every == 0 or loop.epoch >= loop.epochs or loop.history.stopped:
            self.save(loop)

    def on_train_end(self, loop: Loop) -> None:
        """Write the final weights."""
        state = loop.model.state_dict()
        save_tensors(self.file(loop).with_name("model.safetensors"), state, {"format": "minigrad"})
