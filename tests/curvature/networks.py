"""A small network in float64, its losses, and its Hessian by differences of gradients."""

import numpy as np

import minigrad as mg
from minigrad import nn

X = np.random.default_rng(0).standard_normal((20, 4))
LABELS = np.random.default_rng(1).integers(0, 3, 20)
TARGETS = np.random.default_rng(2).standard_normal((20, 3))
BITS = np.random.default_rng(3).integers(0, 2, (20, 3)).astype("float64")

LOSSES = {
    "cross-entropy": lambda z: nn.functional.cross_entropy(z, mg.tensor(LABELS)),
    "squared error": lambda z: nn.functional.mse_loss(z, mg.tensor(TARGETS)),
    "bits": lambda z: nn.functional.binary_cross_entropy_with_logits(z, mg.tensor(BITS)),
}


def parameters(seed=4):
    """Return the weights and biases of a 4-3-3 network, 27 numbers."""
    draw = np.random.default_rng(seed).standard_normal
    shapes = [(3, 4), (3,), (3, 3), (3,)]
    return [mg.tensor(draw(shape), requires_grad=True) for shape in shapes]


def logits(w, b, v, c):
    return mg.affine(mg.tanh(mg.affine(mg.tensor(X), w, b)), v, c)


def flat(arrays):
    return np.concatenate([np.asarray(a).ravel() for a in arrays])


def gradient(loss, point):
    """Return the flat gradient of the loss at a flat point."""
    start, tensors = 0, []
    for p in parameters():
        part = point[start : start + p.size].reshape(p.shape)
        tensors.append(mg.tensor(part, requires_grad=True))
        start += p.size
    return flat([g.numpy() for g in mg.autograd.grad(loss(logits(*tensors)), tensors)])


def hessian_by_differences(loss, point, h=1e-5):
    """Return the Hessian from central differences of gradients, right to about 1e-9."""
    units = np.eye(point.size) * h
    return np.stack(
        [(gradient(loss, point + u) - gradient(loss, point - u)) / (2 * h) for u in units]
    )
