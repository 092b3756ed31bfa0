"""What several tests of training share."""

import pytest

from minigrad import datasets


@pytest.fixture(scope="module")
def digits():
    return datasets.digits().split(test=0.2, seed=0)
