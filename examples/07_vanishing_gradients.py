"""Why the scale of the first weights matters: signals through thirty layers of ReLU.

A layer of width n whose weights have variance 1/n (Xavier) halves the mean square of the signal,
because ReLU drops half of it. Twenty-nine such layers leave 2^-14.5 of it. He's variance, 2/n,
makes up for the half. The gradient on its way back meets the same factors.
"""

import minigrad as mg
from minigrad import nn

DEPTH, WIDTH = 30, 128


def signals(init):
    """Return the standard deviation of the output, and of the gradient at the first weights."""
    mg.manual_seed(0)
    layers = []
    for _ in range(DEPTH - 1):
        layers += [nn.Linear(WIDTH, WIDTH, init=init), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Linear(WIDTH, WIDTH, init=init))
    out = model(mg.randn(1000, WIDTH))
    out.square().mean().backward()
    return out.std().item(), model[0].weight.grad.std().item()


xavier, xavier_gradient = signals(nn.init.xavier_normal_)
he, he_gradient = signals(nn.init.kaiming_normal_)
theory = 2 ** (-(DEPTH - 1) / 2)
print(f"Xavier: output {xavier:.1e}, gradient at the first layer {xavier_gradient:.1e}")
print(f"He:     output {he:.1e}, gradient at the first layer {he_gradient:.1e}")
print(f"theory: Xavier's output over He's {theory:.1e}, measured {xavier / he:.1e}")

assert 0.3 < he < 4
assert 0.5 < xavier / he / theory < 2
assert xavier_gradient < 1e-6 * he_gradient
