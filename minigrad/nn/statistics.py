"""The running statistics of batch normalization, measured anew. The layer is in `norms.py`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from minigrad import backend
from minigrad.mode import no_grad
from minigrad.nn.module import Module
from minigrad.nn.norms import BatchNorm


def refresh_statistics(module: Module, batches: Iterable[Any]) -> None:
    """Set the running estimates of every BatchNorm to the average over batches of inputs.

    The module is run in training mode on each batch, without recording. The estimates of training
    are averages over its latest calls. After few and large steps, with trials between them (those
    of second-order methods), or after the weights were replaced (by an average, say), they are far
    from those of the present weights; and a trial that went too far may have left NaN in them.
    """
    norms = [m for m in module.modules() if isinstance(m, BatchNorm) and m.running_mean is not None]
    if not norms:
        return
    modes = [(m, m.training) for m in module.modules()]
    momenta = [norm.momentum for norm in norms]
    module.train()
    try:
        for norm in norms:
            assert norm.num_batches_tracked is not None
            norm.num_batches_tracked.data[...] = 0
            for running in (norm.running_mean, norm.running_var):
                assert running is not None
                xp, data = backend.of((running.data,)), running.data
                running.data = xp.where(xp.isfinite(data), data, 0)  # 0 · NaN would be NaN
            norm.momentum = None  # all batches weigh the same
        with no_grad():
            for x in batches:
                module(x)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for m, training in modes:
            m.training = training
