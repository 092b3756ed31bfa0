"""Curvature: what the tables of operations and modules do not show of it."""

import numpy as np

import minigrad as mg
from minigrad.curvature import Curvature


def test_results_have_memory_of_their_own():
    w, u = (mg.tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
    vectors = [mg.tensor([1.0, 0.0]), mg.tensor([0.0, 1.0])]
    curvature = Curvature((w + u).sum() ** 2, [w, u])
    for results in (curvature.gradient(), curvature.hvp(vectors)):
        before = results[1].numpy().copy()
        results[0] *= 2  # a view that was broadcast would refuse
        np.testing.assert_array_equal(results[1].numpy(), before)
    h = mg.hvp(lambda x: x.sum() ** 2, vectors[0], vectors[1])
    h *= 2
    assert h.tolist() == [4, 4]
    assert vectors[1].tolist() == [0, 1]
