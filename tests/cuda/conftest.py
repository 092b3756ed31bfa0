"""The devices that the tests of this folder run on: the fake's, and a GPU where there is one.

``device`` is a name for `mg.tensor(…, device=device)`. The fake is given for the length of a test
in place of CuPy; a GPU's tests have the mark "gpu" and are skipped, with the reason, unless an
array can be made there.
"""

import functools
import sys

import pytest

from minigrad import backend
from minigrad import random as random_
from tests.fake_cupy import counts, install

DEVICES = [pytest.param("cuda:0", id="fake"), pytest.param("gpu", marks=pytest.mark.gpu, id="gpu")]


@pytest.fixture
def fake(monkeypatch):
    """CuPy is the fake, with two devices."""
    pytest.importorskip("scipy", reason="the stand-in for CuPy needs SciPy: the extra test")
    monkeypatch.setattr(backend, "_cuda", None)
    monkeypatch.setattr(random_, "_generators", dict(random_._generators))
    monkeypatch.delitem(sys.modules, "minigrad.backend.cupy", raising=False)
    monkeypatch.delattr(backend, "cupy", raising=False)
    for name in [name for name in sys.modules if name.partition(".")[0] in ("cupy", "cupyx")]:
        monkeypatch.delitem(sys.modules, name)
    install(lambda name, module: monkeypatch.setitem(sys.modules, name, module))
    counts.clear()
    yield
    sys.modules.pop("minigrad.backend.cupy", None)
    vars(backend).pop("cupy", None)


@functools.cache
def missing():
    """Return why there is no GPU to test on; the empty string if there is one."""
    try:
        backend.get("cuda")
    except backend.DeviceError as error:
        return str(error)
    return ""


@pytest.fixture(params=DEVICES)
def device(request):
    if request.param == "gpu":
        if missing():
            pytest.skip(missing())
        return "cuda:0"
    request.getfixturevalue("fake")
    return request.param


@pytest.fixture
def gpu():
    """A real device, and nothing else."""
    if missing():
        pytest.skip(missing())
    return "cuda:0"
