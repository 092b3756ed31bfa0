"""Leaves to optimize."""

import numpy as np

import minigrad as mg


def leaf(value, dtype=np.float32, order="C"):
    tensor = mg.tensor(np.asarray(value, dtype), requires_grad=True)
    tensor.data = np.asarray(tensor.data, order=order)
    return tensor
