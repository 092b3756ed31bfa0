"""The state of modules: what goes out comes back, after training too."""

import numpy as np

import minigrad as mg
from minigrad import nn


def test_batch_norm_can_load_its_state_after_it_has_computed():
    layer = nn.BatchNorm(3)
    layer(mg.randn(5, 3))
    before = layer.state_dict()
    layer(mg.randn(5, 3))
    layer.load_state_dict(before)
    for name, value in layer.state_dict().items():
        assert isinstance(value, np.ndarray)
        np.testing.assert_array_equal(value, before[name])
