"""Products of second derivatives with vectors, from the graph of one loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minigrad import autograd
from minigrad.creation import zeros_like
from minigrad.mode import enable_grad
from minigrad.tensor import Tensor


class Curvature:
    """The second derivatives of a recorded loss, as products with vectors.

    `loss` is a Tensor of one element with its graph, `inputs` the tensors to differentiate by.
    The graph is kept as long as this object; any number of products may be asked for. Vectors and
    results are lists, one Tensor of the input's shape and dtype for each input.
    `outputs` is the tensor between the linearized function and the loss that the Gauss–Newton
    matrix needs: the logits, say.
    """

    def __init__(
        self, loss: Tensor, inputs: Sequence[Tensor], outputs: Tensor | None = None
    ) -> None:
        self.loss = loss
        self.inputs = list(inputs)
        self.outputs = outputs

    def gradient(self) -> list[Tensor]:
        """Return the gradient of the loss."""
        return self._grad(self.loss, None, create_graph=False)

    def hvp(self, vectors: Sequence[Tensor]) -> list[Tensor]:
        """Return the Hessian-vector product."""
        with enable_grad():
            first = self._grad(self.loss, None, create_graph=True)
            live = [(g, v) for g, v in zip(first, vectors, strict=True) if g.requires_grad]
            if not live:
                return [zeros_like(x) for x in self.inputs]
            return self._grad([g for g, _ in live], [v for _, v in live], create_graph=False)

    def ggn_vp(self, vectors: Sequence[Tensor]) -> list[Tensor]:
        """Return the product with the Gauss–Newton matrix Jᵀ H J of `outputs` and loss."""
        raise NotImplementedError

    def _grad(self, outputs: Any, seeds: Any, create_graph: bool) -> list[Tensor]:
        found = autograd.grad(
            outputs,
            self.inputs,
            seeds,
            True,
            create_graph,
            allow_unused=True,
        )
        return [zeros_like(x) if g is None else g for g, x in zip(found, self.inputs, strict=True)]
