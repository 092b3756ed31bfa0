"""The table of optimizers: a row is a method with the keywords of one of its variants.

Each row is held to PyTorch where PyTorch has it, to the golden iterates where they are known, and
to an independent transcription of its rule to one scalar, in Python floats. A new method is a
new row.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from minigrad import optim

NO_TORCH = "needs the parity extra: pip install minigrad[parity]"


@dataclass(frozen=True)
class Row:
    """A variant of a method, and what it is held to."""

    name: str
    method: str  # its name in optim.METHODS
    keywords: dict[str, Any]
    scalar: Callable[..., Iterator[float]]  # (x, lr) → a generator: send g, receive the new x
    torch: tuple[str, dict[str, Any]] | None = None  # the class in torch.optim and its keywords
    golden: tuple[float, ...] | None = None  # the iterates for the gradients 1, −0.5, 0.25 from 1
    golden_keywords: dict[str, Any] = field(default_factory=dict)
    rate: float = 0.01  # a learning rate that finds minima
    errors: tuple[dict[str, Any], ...] = field(default=())


# Transcriptions: each receives a gradient and yields the parameter -----------------------------


def sgd(x, lr):
    while True:
        g = yield x
        x = x - lr * g


def heavy_ball(mu, dampening=0.0):
    def run(x, lr):
        g = yield x
        b = g
        while True:
            x = x - lr * b
            g = yield x
            b = mu * b + (1 - dampening) * g

    return run


def classical(mu):
    def run(x, lr):
        v = 0.0
        while True:
            g = yield x
            v = mu * v - lr * g
            x = x + v

    return run


def sutskever(mu):
    """θ and v of Sutskever et al., eqs. 3 and 4; what is yielded is θ + μv."""

    def run(x, lr):
        theta, v = x, 0.0
        while True:
            g = yield theta + mu * v
            v = mu * v - lr * g
            theta = theta + v

    return run


def nesterov1983(y, lr):
    a, x_before = 1.0, y
    while True:
        g = yield y
        x = y - lr * g
        a_next = (1 + math.sqrt(4 * a**2 + 1)) / 2
        y = x + (a - 1) / a_next * (x - x_before)
        a, x_before = a_next, x


def adagrad(eps, inside, start=0.0, decay=0.0):
    def run(x, lr):
        total = start
        for k in count():
            g = yield x
            total += g**2
            root = math.sqrt(total + eps) if inside else math.sqrt(total) + eps
            x = x - lr / (1 + k * decay) * g / root

    return run


def adadelta(rho, eps):
    def run(x, lr):
        g2 = d2 = 0.0
        while True:
            g = yield x
            g2 = rho * g2 + (1 - rho) * g**2
            d = -math.sqrt(d2 + eps) / math.sqrt(g2 + eps) * g
            d2 = rho * d2 + (1 - rho) * d**2
            x = x + lr * d

    return run


def rmsprop(gamma, eps, inside, mu=0.0, centered=False):
    def run(x, lr):
        square = mean = b = 0.0
        while True:
            g = yield x
            square = gamma * square + (1 - gamma) * g**2
            mean = gamma * mean + (1 - gamma) * g
            v = square - mean**2 if centered else square
            b = mu * b + g / (math.sqrt(v + eps) if inside else math.sqrt(v) + eps)
            x = x - lr * b

    return run


def moments(x, lr, direction, beta1=0.9, beta2=0.999):
    """A method of Adam's family: `direction` of (t, g, the lists of all m and v so far)."""
    m, v = [0.0], [0.0]
    for t in count(1):
        g = yield x
        m.append(beta1 * m[-1] + (1 - beta1) * g)
        v.append(beta2 * v[-1] + (1 - beta2) * g**2)
        x = x - lr * direction(t, g, m, v)


def adam(x, lr):
    def direction(t, g, m, v):
        return m[t] / (1 - 0.9**t) / (math.sqrt(v[t] / (1 - 0.999**t)) + 1e-8)

    return moments(x, lr, direction)


def adamw(x, lr):
    inner = adam(0.0, lr)
    before = next(inner)
    while True:
        g = yield x
        after = inner.send(g)
        x = x * (1 - lr * 0.01) + (after - before)
        before = after


def adamax(eps=0.0):
    def run(x, lr):
        m = u = 0.0
        for t in count(1):
            g = yield x
            m = 0.9 * m + 0.1 * g
            u = max(0.999 * u, abs(g) + eps)
            x = x - (lr / (1 - 0.9**t) * m / u if u else 0.0)

    return run


def amsgrad_after(x, lr):
    def direction(t, g, m, v):
        return m[t] / (1 - 0.9**t) / (math.sqrt(max(v) / (1 - 0.999**t)) + 1e-8)

    return moments(x, lr, direction)


def boxed(low, high):
    def run(x, lr):
        inner = amsgrad_after(0.0, lr)  # its moves depend on the gradients alone
        before = next(inner)
        while True:
            g = yield x
            after = inner.send(g)
            x = min(max(x + after - before, low), high)
            before = after

    return run


def amsgrad_before(x, lr):
    def direction(t, g, m, v):
        corrected = [0.0] + [v[s] / (1 - 0.999**s) for s in range(1, t + 1)]
        return m[t] / (1 - 0.9**t) / (math.sqrt(max(corrected)) + 1e-8)

    return moments(x, lr, direction)


def amsgrad_printed(x, lr):
    def direction(t, g, m, v):
        return m[t] / math.sqrt(max(v)) if max(v) else 0.0

    return moments(x, lr, direction, beta2=0.99)


def nadam(mu):
    """μ is a function of t."""

    def run(x, lr):
        def direction(t, g, m, v):
            so_far = math.prod(mu(s) for s in range(1, t + 1))
            ahead = mu(t + 1) * m[t] / (1 - so_far * mu(t + 1))
            now = (1 - mu(t)) * g / (1 - so_far)
            return (ahead + now) / (math.sqrt(v[t] / (1 - 0.999**t)) + 1e-8)

        return moments(x, lr, direction)

    return run


# The table ---------------------------------------------------------------------------------------

_BAD_MOMENTUM = ({"momentum": 1.5}, {"momentum": -0.1}, {"dampening": 2.0})
_BAD_BETAS = ({"betas": (1.0, 0.9)}, {"betas": (0.9, -0.1)}, {"betas": 0.9}, {"eps": -1e-8})

ROWS = [
    Row("sgd", "sgd", {}, sgd, ("SGD", {}), rate=1e-3,
        errors=(*_BAD_MOMENTUM, {"nesterov": True}, {"nesterov": 1},
                {"nesterov": True, "momentum": 0.9, "dampening": 0.1})),
    Row("sgd-momentum", "sgd", {"momentum": 0.9, "dampening": 0.3}, heavy_ball(0.9, 0.3),
        ("SGD", {"momentum": 0.9, "dampening": 0.3}), rate=1e-3),
    Row("sgd-nesterov", "sgd", {"momentum": 0.9, "nesterov": True}, sutskever(0.9),
        ("SGD", {"momentum": 0.9, "nesterov": True}), (0.81, 0.824, 0.7441), {"lr": 0.1},
        rate=1e-3),
    Row("momentum", "momentum", {}, heavy_ball(0.9), ("SGD", {"momentum": 0.9}),
        (0.9, 0.86, 0.799), {"lr": 0.1}, rate=1e-3, errors=_BAD_MOMENTUM),
    Row("momentum-dampened", "momentum", {"momentum": 0.8, "dampening": 0.5},
        heavy_ball(0.8, 0.5), ("SGD", {"momentum": 0.8, "dampening": 0.5}), rate=1e-3),
    Row("momentum-classical", "momentum", {"classical": True}, classical(0.9), rate=1e-3,
        errors=({"classical": "yes"},)),
    Row("nag", "nag", {}, sutskever(0.9), ("SGD", {"momentum": 0.9, "nesterov": True}),
        (0.81, 0.824, 0.7441), {"lr": 0.1}, rate=1e-3,
        errors=({"momentum": 2}, {"variant": "1984"})),
    Row("nag-1983", "nag", {"variant": "1983"}, nesterov1983, rate=1e-3),
    Row("adagrad", "adagrad", {}, adagrad(1e-8, True), rate=0.5,
        errors=({"eps": -1.0}, {"lr_decay": -0.1}, {"initial_accumulator_value": -1.0},
                {"eps_inside_sqrt": None})),
    Row("adagrad-torch", "adagrad",
        {"eps": 1e-10, "eps_inside_sqrt": False, "lr_decay": 0.01,
         "initial_accumulator_value": 0.1},
        adagrad(1e-10, False, 0.1, 0.01),
        ("Adagrad", {"lr_decay": 0.01, "initial_accumulator_value": 0.1}), rate=0.5),
    Row("adagrad-optax", "adagrad",
        {"eps": 1e-7, "initial_accumulator_value": 0.1}, adagrad(1e-7, True, 0.1), rate=0.5),
    Row("adadelta", "adadelta", {}, adadelta(0.95, 1e-6), ("Adadelta", {"rho": 0.95}),
        (0.995527908766, 0.998414621622, 0.996846157327), {"lr": 1.0}, rate=1.0,
        errors=({"rho": 1.0}, {"rho": -0.1}, {"eps": -1.0})),
    Row("adadelta-torch", "adadelta", {"rho": 0.9}, adadelta(0.9, 1e-6), ("Adadelta", {}),
        rate=1.0),
    Row("rmsprop", "rmsprop", {}, rmsprop(0.9, 1e-8, True),
        errors=({"alpha": 1.0}, {"momentum": -1.0}, {"centered": 1}, {"eps": math.nan})),
    Row("rmsprop-torch", "rmsprop", {"alpha": 0.99, "eps_inside_sqrt": False},
        rmsprop(0.99, 1e-8, False), ("RMSprop", {})),
    Row("rmsprop-torch-centered", "rmsprop",
        {"alpha": 0.99, "eps_inside_sqrt": False, "centered": True, "momentum": 0.5},
        rmsprop(0.99, 1e-8, False, 0.5, True), ("RMSprop", {"centered": True, "momentum": 0.5})),
    Row("rmsprop-keras", "rmsprop", {"eps": 1e-7, "centered": True, "momentum": 0.5},
        rmsprop(0.9, 1e-7, True, 0.5, True)),
    Row("adam", "adam", {}, adam, ("Adam", {}),
        (0.99900000001, 0.998733662974, 0.998393233831), {"lr": 1e-3}, errors=_BAD_BETAS),
    Row("adamw", "adamw", {}, adamw, ("AdamW", {}), errors=_BAD_BETAS),
    Row("adamax", "adamax", {}, adamax(), None,
        (0.998, 0.997578525894, 0.997127439671), {"lr": 2e-3},
        errors=(*_BAD_BETAS, {"eps_inside_max": 0})),
    Row("adamax-torch", "adamax", {"eps_inside_max": True}, adamax(1e-8), ("Adamax", {})),
    Row("amsgrad", "amsgrad", {}, amsgrad_after, ("Adam", {"amsgrad": True}),
        (0.99900000001, 0.998733300584, 0.998391766237), {"lr": 1e-3, "betas": (0.9, 0.99)},
        errors=(*_BAD_BETAS, {"bias_correction": "no"}, {"box": (1, -1)}, {"box": 1})),
    Row("amsgrad-box", "amsgrad", {"box": (-0.5, 0.55)}, boxed(-0.5, 0.55)),
    Row("amsgrad-optax", "amsgrad", {"bias_correction": "before"}, amsgrad_before, None,
        (0.99900000001, 0.998789473696, 0.998564381448), {"lr": 1e-3}),
    Row("amsgrad-printed", "amsgrad",
        {"bias_correction": "none", "eps": 0, "betas": (0.9, 0.99)}, amsgrad_printed, None,
        (0.999, 0.998640789396, 0.998103735159), {"lr": 1e-3}),
    Row("nadam", "nadam", {}, nadam(lambda t: 0.9 * (1 - 0.5 * 0.96 ** (t * 0.004))),
        ("NAdam", {}), (0.997887096464, 0.998709315912, 0.998165201544), {"lr": 2e-3},
        errors=(*_BAD_BETAS, {"momentum_decay": -1.0})),
    Row("nadam-keras", "nadam", {"momentum_decay": 1.0},
        nadam(lambda t: 0.9 * (1 - 0.5 * 0.96**t)), None,
        (0.997874424415, 0.998659614925, 0.998132938865), {"lr": 2e-3}),
    Row("nadam-optax", "nadam", {"momentum_decay": math.inf}, nadam(lambda t: 0.9), None,
        (0.997052631608, 0.997382358825, 0.996620441731), {"lr": 2e-3}),
]  # fmt: skip

NAMES = [row.name for row in ROWS]
FIRST_ORDER = {
    name: method
    for name, method in optim.METHODS.items()
    if not issubclass(method, optim.SecondOrder)  # those are in test_second_order.py
}
