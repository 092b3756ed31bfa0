"""Batch and layer normalization. The derivative goes through the mean and the deviation too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minigrad import backend
from minigrad.backend import Device
from minigrad.creation import sizes
from minigrad.mode import ShapeError
from minigrad.nn import functional
from minigrad.nn.module import Module, Parameter
from minigrad.tensor import DType, Tensor, legal_dtype


def _check_eps(eps: float) -> None:
    if not eps > 0:
        raise ValueError(f"eps must be positive (a constant input is divided by √eps), not {eps!r}")


class BatchNorm(Module):
    """(x - mean)/√(var + ε) · weight + bias, over the batch, for each feature or channel.

    Inputs are (N, C), or (N, C, L) and (N, C, H, W), whose statistics run over N, L, H and W too.
    In training the mean and the biased variance of the batch are used, gradients flow through them,
    and the running estimates move by `momentum`: running ← (1 - momentum) · running + momentum ·
    batch, with the unbiased variance; ``momentum=None`` averages all batches. In evaluation the
    running estimates are used (those of the batch if `track_running_stats` is False).

    Parameters ``weight`` and ``bias`` (C,) unless `affine` is False; buffers ``running_mean``,
    ``running_var`` (C,) and ``num_batches_tracked``. Ioffe and Szegedy 2015; names, defaults and
    results are PyTorch's BatchNorm1d's and BatchNorm2d's.

    Raises ShapeError for another number of channels, ValueError for a batch of one value a channel
    in training.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        dtype: DType = "float32",
        device: Device | None = None,
    ) -> None:
        sizes(f"BatchNorm({num_features})", (num_features,), 1)
        dtype = legal_dtype(dtype)
        if momentum is not None and not 0 <= momentum <= 1:
            raise ValueError(f"BatchNorm: momentum is from 0 to 1, or None, not {momentum!r}")
        _check_eps(eps)
        xp = backend.get(device)
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.weight = Parameter(xp.ones(num_features, dtype)) if affine else None
        self.bias = Parameter(xp.zeros(num_features, dtype)) if affine else None
        self.running_mean: Tensor | None = None
        self.running_var: Tensor | None = None
        self.num_batches_tracked: Tensor | None = None
        if track_running_stats:
            self.register_buffer("running_mean", Tensor.of(xp.zeros(num_features, dtype)))
            self.register_buffer("running_var", Tensor.of(xp.ones(num_features, dtype)))
            self.register_buffer("num_batches_tracked", Tensor.of(xp.zeros((), "int64")))

    def forward(self, x: Any) -> Any:
        """Return x normalized."""
        if x.ndim < 2 or x.shape[1] != self.num_features:
            width = self.num_features
            raise ShapeError(
                f"BatchNorm({width}) got an input of shape {x.shape}; it must be (N, {width}), "
                f"(N, {width}, L) or (N, {width}, H, W)"
            )
        batches = self.num_batches_tracked
        share: Any = self.momentum
        if batches is not None:
            backend.of((batches.data,))  # which makes its device the current one
        if share is None and batches is not None:
            share = 1 / (batches.data + 1)  # an array: to read it, the host would wait
        out = functional.batch_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or self.running_mean is None,
            share,
            self.eps,
        )
        if self.training and batches is not None:
            batches.data += 1  # no graph reads it, and in place it stays an array
        return out

    def extra_repr(self) -> str:
        """Return the number of features, and what is not the default."""
        notes = [f"{self.num_features}"]
        notes += [f"eps={self.eps}"] if self.eps != 1e-5 else []
        notes += [f"momentum={self.momentum}"] if self.momentum != 0.1 else []
        notes += ["affine=False"] if self.weight is None else []
        notes += ["track_running_stats=False"] if self.running_mean is None else []
        return ", ".join(notes)


class LayerNorm(Module):
    """(x - mean)/√(var + ε) · weight + bias, over the trailing feature axes of each sample.

    `normalized_shape` is their shape (an integer for one axis), and that of ``weight`` and
    ``bias`` (unless `elementwise_affine` or `bias` is False). The variance is the biased one. Ba
    et al. 2016.

    Raises ShapeError for an input that does not end in that shape.
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        dtype: DType = "float32",
        device: Device | None = None,
    ) -> None:
        _check_eps(eps)
        self.normalized_shape = sizes(f"LayerNorm({normalized_shape})", (normalized_shape,), 1)
        if not self.normalized_shape:
            raise ShapeError(f"LayerNorm({normalized_shape}): there must be at least one size")
        dtype = legal_dtype(dtype)
        xp = backend.get(device)
        self.eps = eps
        self.weight: Parameter | None = None
        self.bias: Parameter | None = None
        if elementwise_affine:
            self.weight = Parameter(xp.ones(self.normalized_shape, dtype))
            self.bias = Parameter(xp.zeros(self.normalized_shape, dtype)) if bias else None

    def forward(self, x: Any) -> Any:
        """Return x normalized."""
        return functional.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Return the normalized shape, and what is not the default."""
        shape = self.normalized_shape
        notes = [f"{shape[0] if len(shape) == 1 else shape}"]
        notes += [f"eps={self.eps}"] if self.eps != 1e-5 else []
        notes += ["elementwise_affine=False"] if self.weight is None else []
        notes += ["bias=False"] if self.weight is not None and self.bias is None else []
        return ", ".join(notes)
