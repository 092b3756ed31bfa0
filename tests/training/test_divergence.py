"""A loss that becomes no number, or grows without bound, and what is said of it."""

import math

import pytest

import minigrad as mg
from minigrad import nn, optim, training


def test_a_loss_that_is_not_finite_ends_training(digits):
    class Broken(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(64, 10)

        def forward(self, x):
            return self.layer(x) * float("nan")

    model = Broken()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    history = training.fit(model, nn.CrossEntropyLoss(), optimizer, *digits, epochs=5)
    assert len(history) == 1
    assert "the training loss became nan in epoch 1" in history.stopped


def diverging(digits, lr=5.0, **options):
    """Return a tanh network, which saturates and so stays finite, and what its training says."""
    mg.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10))
    optimizer = optim.SGD(model.parameters(), lr=lr)
    loss_fn = nn.CrossEntropyLoss()
    history = training.fit(model, loss_fn, optimizer, *digits, seed=0, **options)
    return model, history


def test_a_loss_that_grows_and_stays_finite_diverges(digits):
    _, history = diverging(digits, lr=1000.0, epochs=3)
    assert history.start == pytest.approx(math.log(10), rel=0.2)
    assert history.diverged
    assert len(history) == 3
    [note] = history.notes
    found = f"the training loss grew from {history.start:.3g} in the first step to "
    assert note.startswith(f"diverging: {found}{history['loss'][0]:.3g} in epoch 1; a smaller lea")


def test_a_loss_that_falls_or_rises_a_little_does_not_diverge(digits):
    _, history = diverging(digits, lr=0.1, epochs=1)
    assert (history.diverged, history.notes) == (False, [])
    history.start = 0.5
    assert [history.is_far(x) for x in (4.9, 5.1, math.nan, math.inf)] == [False, True, True, True]
    history.start = -0.5  # such as of a likelihood
    assert [history.is_far(x) for x in (-9.0, 4.9, 5.1)] == [False, False, True]
    history.start = 0.0
    assert not history.is_far(1.0)


def test_the_best_weights_of_a_run_that_diverged_later_are_of_use(digits):
    class Faster(training.Callback):
        def on_epoch_end(self, loop):
            loop.optimizer.param_groups[0]["lr"] = 1e4

    stopping = training.EarlyStopping(patience=2)
    callbacks = [Faster(), stopping]
    _, history = diverging(digits, lr=0.1, epochs=5, callbacks=callbacks)
    assert stopping.best_epoch == 1
    assert "diverging" in history.notes[0]
    assert not history.diverged


def test_a_resumed_run_knows_where_its_loss_began(digits, tmp_path):
    _, history = diverging(digits, lr=1000.0, epochs=1, run=tmp_path / "a")
    _, again = diverging(digits, lr=1000.0, epochs=2, run=tmp_path / "a", resume=True)
    assert again.start == history.start
    assert again.diverged
    assert again.notes == history.notes  # said once
