"""Networks whose graphs the tests look at."""

import minigrad as mg
from minigrad import nn


class Residual(nn.Module):
    """x + W₂ tanh(W₁ norm(x))."""

    def __init__(self, width):
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)

    def forward(self, x):
        return x + self.down(mg.tanh(self.up(self.norm(x))))


def tower(blocks):
    """Return a network of equal blocks between two layers, and a batch for it."""
    mg.manual_seed(0)
    body = nn.Sequential(*[Residual(8) for _ in range(blocks)])
    model = nn.Sequential(nn.Linear(5, 8), body, nn.Linear(8, 3))
    return model, mg.randn(4, 5)


def small():
    """Return a network of two layers, and a function that computes its loss."""
    mg.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))
    x, y = mg.randn(5, 4), mg.tensor([0, 1, 2, 0, 1])
    loss_fn = nn.CrossEntropyLoss()

    def loss():
        out = loss_fn(model(x), y)
        out.name = "loss"
        return out

    return model, loss
