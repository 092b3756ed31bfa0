"""The landscape: its directions, losses and paths against NumPy."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import viz
from tests.viz.landscapes import X, closure, network, split, trained, vector


def load(model, flat):
    """Write a vector into the parameters."""
    start = 0
    for p in model.parameters():
        p.data[...] = flat[start : start + p.size].reshape(p.shape)
        start += p.size


# Directions --------------------------------------------------------------------------------------


def test_every_filter_of_a_random_direction_is_as_long_as_the_models():
    model = network()
    found = viz.landscape(closure(model), model, size=3)
    assert found.kind == "random"
    for direction in found.directions:
        parts = split(direction, model)
        for name, p in model.named_parameters():
            d, theta = parts[name], p.numpy()
            if p.ndim == 1:
                assert not d.any()
            else:
                lengths = [np.linalg.norm(row) for row in d]
                assert np.allclose(lengths, [np.linalg.norm(row) for row in theta], rtol=1e-6)
    assert not np.allclose(*found.directions)


def test_filters_of_a_convolution_are_its_first_axis():
    kernel = mg.tensor(np.random.default_rng(1).standard_normal((4, 2, 3, 3)), requires_grad=True)
    found = viz.landscape(lambda: (kernel * kernel).sum(), [kernel], size=3)
    d = found.directions[0].reshape(4, 18)
    lengths = np.linalg.norm(kernel.numpy().reshape(4, 18), axis=1)
    assert np.allclose(np.linalg.norm(d, axis=1), lengths)


def test_other_normalizations_and_seeds():
    model = network()
    layer = viz.landscape(closure(model), model, size=3, normalize="layer").directions[0]
    for name, p in model.named_parameters():
        length = np.linalg.norm(p.numpy()) if p.ndim > 1 else 0
        assert np.linalg.norm(split(layer, model)[name]) == pytest.approx(length, rel=1e-6)
    plain = viz.landscape(closure(model), model, size=3, normalize="none").directions
    assert np.allclose(np.linalg.norm(plain, axis=1), 1)
    assert np.count_nonzero(plain[0]) == vector(model).size
    again, other = (
        viz.landscape(closure(model), model, size=3, normalize="none", seed=seed).directions
        for seed in (0, 1)
    )
    assert np.array_equal(plain, again)
    assert not np.allclose(plain, other)


def test_principal_directions_and_their_shares_are_those_of_the_svd():
    model, path, points = trained()
    found = viz.landscape(closure(model), model, paths=path, size=3)
    assert found.kind == "trajectory"
    away = points.astype("float64") - points.astype("float64").mean(axis=0)
    _, sizes, rows = np.linalg.svd(away)
    for mine, row in zip(found.directions, rows[:2], strict=True):
        assert abs(mine @ row) == pytest.approx(1, abs=1e-6)
    shares = sizes[:2] ** 2 / (sizes**2).sum()
    assert found.explained == pytest.approx(shares, rel=1e-6)
    assert found.directions @ found.directions.T == pytest.approx(np.eye(2), abs=1e-9)


def test_several_paths_share_the_plane_of_all_their_points():
    one, path, points = trained()
    _, other, more = trained(5, lr=0.5)
    found = viz.landscape(closure(one), one, paths={"slow": path, "fast": other}, size=3)
    every = np.concatenate([points, more]).astype("float64")
    rows = np.linalg.svd(every - every.mean(axis=0))[2][:2]
    assert np.abs(np.sum(found.directions * rows, axis=1)) == pytest.approx(1, abs=1e-6)
    assert list(found.paths) == ["slow", "fast"]
    assert len(found.paths["slow"].points) == 9
    assert len(found.paths["fast"].points) == 6


def test_directions_of_ones_own_may_be_flat_or_parts():
    model = network()
    a, b = np.random.default_rng(2).standard_normal((2, vector(model).size))
    parts = [mg.tensor(part) for part in split(b, model).values()]
    found = viz.landscape(closure(model), model, (mg.tensor(a), parts), size=3)
    assert found.kind == "given"
    assert np.array_equal(found.directions, [a, b])


# Losses ------------------------------------------------------------------------------------------


def test_the_center_has_the_models_loss_exactly():
    model = network().eval()
    found = viz.landscape(closure(model), model, size=5)
    assert found.x[2] == found.y[2] == 0
    assert found.loss == closure(model)().item() == found.losses[2, 2]
    assert np.array_equal(found.center, vector(model))


def test_the_grid_has_the_losses_of_a_loop_by_hand():
    model = network().eval()
    found = viz.landscape(closure(model), model, size=5, span=0.7)
    assert np.allclose(found.x, np.linspace(-0.7, 0.7, 5))
    center = vector(model).copy()
    d = found.directions
    for j, b in enumerate(found.y):
        for i, a in enumerate(found.x):
            load(model, center + a * d[0] + b * d[1])
            assert found.losses[j, i] == pytest.approx(closure(model)().item(), rel=1e-4)


def test_a_path_is_its_points_seen_from_the_plane_and_their_own_losses():
    model, path, points = trained()
    found = viz.landscape(closure(model), model, paths=path, size=3)
    assert np.array_equal(path.points, points)
    seen = (points - points[-1].astype("float64")) @ found.directions.T  # orthonormal
    assert np.allclose(found.paths[""].points, seen, atol=1e-6)
    assert np.allclose(found.paths[""].points[-1], 0)
    model.eval()
    for point, loss in zip(points, found.paths[""].losses, strict=True):
        load(model, point)
        assert loss == pytest.approx(closure(model)().item(), rel=1e-6)
    lows, highs = seen.min(axis=0), seen.max(axis=0)
    assert found.x[0] < lows[0] < highs[0] < found.x[-1]
    assert found.y[0] < lows[1] < highs[1] < found.y[-1]


def test_from_skew_directions_a_path_is_seen_at_the_nearest_point():
    model, path, points = trained()
    d = np.random.default_rng(3).standard_normal((2, points.shape[1]))
    d[1] += d[0]
    found = viz.landscape(closure(model), model, tuple(d), paths=path, size=3)
    for mine, point in zip(found.paths[""].points, points, strict=True):
        rest = point - found.center - mine @ d
        assert np.allclose(d @ rest, 0, atol=1e-6)
    axes = np.linalg.qr(d.T)[0]
    away = points - points.astype("float64").mean(axis=0)
    shares = ((away @ axes) ** 2).sum(axis=0) / (away**2).sum()
    assert found.explained == pytest.approx(shares, rel=1e-6)


def test_nothing_is_recorded():
    model = network()
    recording = []

    def loss():
        recording.append(mg.is_grad_enabled())
        return closure(model)()

    viz.landscape(loss, model, size=3)
    assert recording == [False] * (9 + 1)


def test_a_quadratic_of_a_plain_tensor_is_its_own_landscape():
    p = mg.tensor([1.0, 2.0], dtype="float64", requires_grad=True)
    found = viz.landscape(
        lambda: (p[0] - 1) ** 2 + 3 * (p[1] - 2) ** 2, [p], ([1.0, 0.0], [0.0, 1.0]), size=5
    )
    a, b = np.meshgrid(found.x, found.y)
    assert np.allclose(found.losses, a**2 + 3 * b**2)


def test_training_mode_has_the_batchs_statistics_and_one_mask_for_all_points():
    model = network(dropout=0.5)
    for _ in range(3):
        model(X)  # so that the running estimates are not the batch's
    evaluated = viz.landscape(closure(model), model, size=3)
    first = viz.landscape(closure(model), model, size=3, training=True)
    again = viz.landscape(closure(model), model, size=3, training=True)
    assert not evaluated.training
    assert first.training
    assert first.loss == first.losses[1, 1]  # the same mask twice
    assert np.array_equal(first.losses, again.losses)
    assert first.loss != pytest.approx(evaluated.loss, rel=1e-3)


# Errors ------------------------------------------------------------------------------------------


MODEL = network()


@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        ({"size": 4}, ValueError, "size=4; legal is an odd integer from 3"),
        ({"span": -1}, ValueError, "span=-1; legal is a finite number above 0"),
        ({"normalize": "filters"}, ValueError, "legal is one of 'filter', 'layer', 'none'"),
        ({"directions": "pca"}, ValueError, "legal is 'random', 'trajectory', or two vectors"),
        ({"directions": "trajectory"}, ValueError, "three points or more, and the paths have 0"),
        ({"directions": (np.ones(3), np.ones(3))}, ValueError, "of 3 elements for 42 parameters"),
        ({"directions": (np.zeros(42), np.ones(42))}, ValueError, "0 everywhere"),
        ({"directions": (np.ones(42), 2 * np.ones(42))}, ValueError, "the two directions are one"),
        ({"directions": (np.full(42, np.nan), np.ones(42))}, ValueError, "is not finite"),
        ({"directions": (np.full(42, np.inf), np.ones(42))}, ValueError, "is not finite"),
        ({"directions": 5}, ValueError, "directions=5; legal is 'random'"),
        ({"paths": "ab"}, TypeError, "paths is a str; give a viz.Trajectory"),
        ({"paths": [1]}, TypeError, "paths is a list; give a viz.Trajectory"),
        ({"span": "a"}, ValueError, "span='a'; legal is a finite number above 0"),
        ({"paths": {"a": [1, 2]}}, TypeError, r"path 'a' is a list; give a viz.Trajectory"),
        ({"paths": viz.Trajectory([mg.zeros(2)])}, ValueError, "of 2 parameters, and the model"),
        ({"loss": lambda: MODEL(X)}, TypeError, r"returned shape \(12, 2\)"),
        ({"loss": lambda: "high"}, TypeError, "returned str"),
        ({"model": mg.zeros(2)}, TypeError, r"not one Tensor; try \[p\]"),
        ({"model": []}, ValueError, "no parameters"),
        ({"model": [mg.ones(2)]}, ValueError, "use normalize='none'"),
    ],
)
def test_what_is_not_legal_says_what_is(keywords, error, message):
    arguments = {"loss": closure(MODEL), "model": MODEL, "size": 3, **keywords}
    with pytest.raises(error, match=message):
        viz.landscape(**arguments)


def test_a_path_that_diverged_is_refused_with_advice():
    model, path, _ = trained(4)
    path.points[3] = path.points[3] * np.inf
    with pytest.raises(ValueError, match=r"not finite from point 3 on, .* del path.points\[3:\]"):
        viz.landscape(closure(model), model, paths=path)
    del path.points[3:]
    assert len(viz.landscape(closure(model), model, paths=path, size=3).paths[""].points) == 3


def test_what_overflows_far_away_is_no_warning():
    p = mg.tensor([0.0, 0.0], dtype="float32", requires_grad=True)
    found = viz.landscape(
        lambda: mg.exp(p[0]) + p[1], [p], ([1.0, 0.0], [0.0, 1.0]), size=3, span=200.0
    )
    assert np.isinf(found.losses[:, 2]).all()


def test_a_path_without_points_is_refused():
    path = viz.Trajectory(MODEL)
    path.points.clear()
    with pytest.raises(ValueError, match="path 'a' has no points"):
        viz.landscape(closure(MODEL), MODEL, paths={"a": path}, size=3)


def test_directions_are_compared_whatever_their_lengths():
    p = mg.tensor([1.0, 2.0], dtype="float64")
    unit = ([1e-200, 0.0], [1.0, 1.0])
    assert viz.landscape(lambda: p.sum(), [p], unit, size=3).losses[2, 0] == 5
    with pytest.raises(ValueError, match="the two directions are one"):
        viz.landscape(lambda: p.sum(), [p], ([1e-200, 1e-200], [1.0, 1.0]), size=3)


def test_between_integer_parameters_the_loss_is_not_rounded():
    p = mg.tensor([1, 2])
    found = viz.landscape(lambda: p[0] + 10 * p[1], [p], ([0.5, 0.0], [0.0, 0.25]), size=3)
    assert np.allclose(found.losses, [[18, 18.5, 19], [20.5, 21, 21.5], [23, 23.5, 24]])
