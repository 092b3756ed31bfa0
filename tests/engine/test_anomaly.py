"""detect_anomaly names the operation and the line of the user's code, forward and backward."""

import numpy as np
import pytest

import minigrad as mg


def test_forward():
    x = mg.tensor([1.0, 0.0], requires_grad=True)
    with np.errstate(divide="ignore"), mg.detect_anomaly():
        y = x * 2
        with pytest.raises(
            mg.AnomalyError, match=r"forward: log .*test_anomaly\.py:\d+.*mg\.log\(y\)"
        ):
            mg.log(y)


def test_backward_names_the_line_of_the_forward_call():
    x = mg.tensor([1.0, 0.0], requires_grad=True)
    with np.errstate(divide="ignore", invalid="ignore"), mg.detect_anomaly():
        root = mg.sqrt(x)
        with pytest.raises(mg.AnomalyError, match=r"backward: .*sqrt.*root = mg\.sqrt\(x\)"):
            root.sum().backward()


def test_an_infinity_that_came_in_is_not_reported_where_it_passes():
    masked = mg.tensor([0.0, -np.inf])
    with mg.detect_anomaly():
        assert (masked + 1).tolist() == [1, -np.inf]
        assert mg.logsumexp(masked).item() == 0


def test_inside_a_module_the_line_is_the_users():
    x = mg.tensor([[-1.0, 1.0]], requires_grad=True)
    with (
        np.errstate(invalid="ignore"),
        mg.detect_anomaly(),
        pytest.raises(mg.AnomalyError) as caught,
    ):
        mg.std(mg.log(x))
    assert "mg.std(mg.log(x))" in str(caught.value)
