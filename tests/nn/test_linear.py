"""The memory of a linear layer."""

import numpy as np

import minigrad as mg
from minigrad import nn


def test_weight_is_out_by_in_and_runs_along_out() -> None:
    layer = nn.Linear(3, 5)
    assert layer.weight.shape == (5, 3)
    assert layer.weight.data.T.flags.c_contiguous
    layer.load_state_dict(layer.state_dict())
    layer.to("float64")
    assert layer.weight.dtype == "float64"
    assert layer.weight.data.T.flags.c_contiguous
    x = mg.randn(2, 3, dtype="float64")
    expected = x.numpy() @ layer.weight.numpy().T + layer.bias.numpy()
    np.testing.assert_allclose(layer(x).numpy(), expected, rtol=1e-14)
