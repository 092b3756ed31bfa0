"""The named surfaces: their formulas, minima and derivatives, against SciPy and plain NumPy."""

import numpy as np
import pytest
import scipy.optimize

import minigrad as mg
from minigrad import viz
from minigrad.viz.surfaces import surface_of
from tests.optim.problems import PROBLEMS

SUMS = {problem.name: problem for problem in PROBLEMS}


def beale(x, y):
    return SUMS["beale"](mg.tensor([x, y], dtype="float64")).item()


def himmelblau(x, y):
    return (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2


def rastrigin(x, y):
    return 10 * 2 + sum(v**2 - 10 * np.cos(2 * np.pi * v) for v in (x, y))


def ackley(x, y):
    v = np.array([x, y])
    far = -20 * np.exp(-0.2 * np.sqrt(np.mean(v**2)))
    return far - np.exp(np.mean(np.cos(2 * np.pi * v))) + 20 + np.e


ORACLES = {
    "rosenbrock": lambda x, y: scipy.optimize.rosen([x, y]),
    "beale": beale,
    "himmelblau": himmelblau,
    "saddle": lambda x, y: (x - y) * (x + y) + (y * y / 2) ** 2,
    "ravine": lambda x, y: x * x / 2 + 50 * y * y,
    "rastrigin": rastrigin,
    "ackley": ackley,
}
NAMES = list(viz.SURFACES)


def value(surface, p):
    return surface(mg.tensor(float(p[0]), dtype="float64"), mg.tensor(p[1], dtype="float64")).item()


def slope(surface, p):
    p = mg.tensor(np.asarray(p, float), requires_grad=True)
    surface(p[0], p[1]).backward()
    return p.grad.numpy()


def inside(surface, n=20):
    """Return points of the surface's domain."""
    left, right, bottom, top = surface.domain
    unit = np.random.default_rng(0).random((n, 2))
    return unit * [right - left, top - bottom] + [left, bottom]


def test_all_that_are_promised_are_there():
    assert set(NAMES) == set(ORACLES)


@pytest.mark.parametrize("name", NAMES)
def test_the_formula_is_the_published_one(name):
    surface = viz.SURFACES[name]
    for p in inside(surface):
        assert value(surface, p) == pytest.approx(ORACLES[name](*p), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_it_takes_whole_grids(name):
    surface, points = viz.SURFACES[name], inside(viz.SURFACES[name])
    whole = surface(mg.tensor(points[:, 0]), mg.tensor(points[:, 1]))
    assert np.allclose(whole.numpy(), [value(surface, p) for p in points], rtol=1e-14)


@pytest.mark.parametrize("name", NAMES)
def test_its_gradient_is_that_of_finite_differences(name):
    surface = viz.SURFACES[name]
    for p in [*inside(surface), surface.start]:
        rough = scipy.optimize.approx_fprime(p, lambda q: ORACLES[name](*q), 1e-7)
        assert np.allclose(slope(surface, p), rough, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_its_minima_are_all_there_are(name):
    """SciPy goes down from a grid of points; the lowest ends are the minima, each of them found."""
    surface = viz.SURFACES[name]
    left, right, bottom, top = surface.domain
    ends = []
    for x in np.linspace(left, right, 9)[1:-1]:
        for y in np.linspace(bottom, top, 9)[1:-1]:
            found = scipy.optimize.minimize(
                lambda q: ORACLES[name](*q), [x, y], method="Nelder-Mead",
                options={"xatol": 1e-9, "fatol": 1e-14, "maxiter": 2000},
            )  # fmt: skip
            ends.append([*found.x, found.fun])
    ends = np.array(ends)
    assert ends[:, 2].min() == pytest.approx(surface.minimum, abs=1e-7)
    lowest = ends[ends[:, 2] < surface.minimum + 1e-7][:, :2]
    distances = np.linalg.norm(lowest[:, None] - np.array(surface.minima), axis=2)
    assert distances.min(axis=1).max() < 1e-3
    assert distances.min(axis=0).max() < 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_at_its_minima_it_has_its_minimum_and_no_slope(name):
    surface = viz.SURFACES[name]
    for point in surface.minima:
        assert value(surface, point) == pytest.approx(surface.minimum, abs=1e-12)
        assert np.abs(slope(surface, point)).max() < 1e-10


@pytest.mark.parametrize("name", NAMES)
def test_start_and_minima_are_in_the_picture(name):
    surface = viz.SURFACES[name]
    left, right, bottom, top = surface.domain
    for x, y in [surface.start, *surface.minima]:
        assert left < x < right
        assert bottom < y < top
    assert surface.source
    assert surface.name == name


def test_the_race_starts_where_the_literature_does():
    for name in ("rosenbrock", "beale"):
        assert list(viz.SURFACES[name].start) == SUMS[name].start


def test_a_name_that_is_none_is_an_error_with_advice():
    with pytest.raises(ValueError, match=r"no surface 'rosenbrok'; .* try 'rosenbrock'"):
        surface_of("rosenbrok")
    assert surface_of("Rosenbrock") is viz.SURFACES["rosenbrock"]
    assert surface_of(viz.SURFACES["ackley"]) is viz.SURFACES["ackley"]
