"""The network whose landscape the tests look at, its loss, and its training by hand."""

import numpy as np

import minigrad as mg
from minigrad import nn, optim, viz

DATA = np.random.default_rng(0)
X = mg.tensor(DATA.standard_normal((12, 3)).astype("float32"))
Y = mg.tensor(DATA.integers(0, 2, 12))
LOSS = nn.CrossEntropyLoss()


def network(dropout=0.0):
    mg.manual_seed(1)
    return nn.Sequential(
        nn.Linear(3, 5), nn.BatchNorm(5), nn.Tanh(), nn.Dropout(dropout), nn.Linear(5, 2)
    )


def closure(model):
    return lambda: LOSS(model(X), Y)


def vector(model):
    """Return the parameters as one vector, each row by row."""
    return np.concatenate([p.numpy().ravel() for p in model.parameters()])


def split(flat, model):
    """Return a vector's parts by the parameters' names."""
    parts, start = {}, 0
    for name, p in model.named_parameters():
        parts[name] = flat[start : start + p.size].reshape(p.shape)
        start += p.size
    return parts


def trained(steps=8, model=None, lr=0.1):
    """Train by plain gradient descent; return the model, the trajectory, and the points by hand."""
    model = model or network()
    optimizer = optim.SGD(model.parameters(), lr=lr)
    path, points = viz.Trajectory(model), [vector(model).copy()]
    for _ in range(steps):
        optimizer.step(closure(model))
        path.record()
        points.append(vector(model).copy())
    return model, path, np.array(points)
