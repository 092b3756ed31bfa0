"""Activations by layer over training: figures against NumPy, and Glorot and Bengio's picture."""

import itertools

import numpy as np
import pytest

import minigrad as mg
from minigrad import datasets, nn, optim, viz

X = np.random.default_rng(0).standard_normal((50, 6)).astype("float32")


def network(activation=nn.Tanh):
    mg.manual_seed(0)
    return nn.Sequential(
        nn.Linear(6, 8), activation(), nn.Dropout(0.5), nn.Linear(8, 7), activation(),
        nn.Linear(7, 3), nn.Softmax(),
    )  # fmt: skip


def by_hand(model, x, function):
    """Return the outputs of the two activations, in NumPy."""
    outputs = []
    for i in (0, 3):
        x = function(x @ model[i].weight.numpy().T + model[i].bias.numpy())
        outputs.append(x)
    return outputs


@pytest.mark.parametrize(
    ("activation", "function", "saturated"),
    [
        (nn.Tanh, np.tanh, lambda h: np.abs(h) > 0.8),
        (nn.Sigmoid, lambda z: 1 / (1 + np.exp(-z)), lambda h: np.abs(h - 0.5) > 0.4),
        (nn.ReLU, lambda z: np.maximum(z, 0), lambda h: h == 0),
        (nn.LeCunTanh, lambda z: 1.7159 * np.tanh(2 / 3 * z), lambda h: np.abs(h) > 0.8 * 1.7159),
        (nn.Softplus, lambda z: np.log1p(np.exp(z)), None),
    ],
)
def test_its_figures_are_those_of_numpy(activation, function, saturated):
    model = network(activation)
    seen = viz.activations(model, X)
    rows = seen.measure(7)
    assert rows == seen.rows
    assert [row.layer for row in rows] == ["1", "4"] == seen.layers
    for row, h in zip(rows, by_hand(model, X, function), strict=True):
        assert row.step == 7
        assert row.mean == pytest.approx(h.mean(), rel=1e-5, abs=1e-7)
        assert row.std == pytest.approx(h.std(), rel=1e-5)
        assert row.percentiles == pytest.approx(np.percentile(h, [2, 25, 50, 75, 98]), abs=1e-5)
        share = None if saturated is None else pytest.approx(saturated(h).mean(), abs=0.005)
        assert row.saturated == share
        assert row.counts.sum() == h.size
        assert row.edges[0] <= h.min() + 1e-6
        assert row.edges[-1] >= h.max() - 1e-6


def test_the_model_is_as_before_and_measured_as_it_is_used():
    model = network()
    model[0].eval()
    values = [p.numpy().tobytes() for p in model.parameters()]
    modes, random = [m.training for m in model.modules()], mg.random.get_state()
    seen = viz.activations(model, X)
    one, two = seen.measure(0), seen.measure(1)
    assert [row.mean for row in one] == [row.mean for row in two]  # no dropout
    assert [p.numpy().tobytes() for p in model.parameters()] == values
    assert [m.training for m in model.modules()] == modes
    assert mg.random.get_state() == random
    dropped = viz.activations(model, X, training=True).measure(0)
    assert dropped[0].mean == one[0].mean
    assert dropped[1].mean != one[1].mean
    assert not any(module._hooks for module in model.modules())


def test_after_an_error_nobody_listens():
    model = network()
    with pytest.raises(mg.ShapeError):
        viz.activations(model, X[:, :4]).measure(0)
    assert not any(module._hooks for module in model.modules())


def test_layers_may_be_named_and_a_module_used_twice_counts_twice():
    seen = viz.activations(network(), X, layers=["0", "4"])
    assert [row.layer for row in seen.measure(0)] == ["0", "4"]

    class Twice(nn.Module):
        def __init__(self):
            self.layer, self.act = nn.Linear(6, 6), nn.Tanh()

        def forward(self, x):
            return self.act(self.layer(self.act(self.layer(x))))

    seen = viz.activations(Twice(), X)
    seen.measure(0)
    assert seen.layers == ["act", "act call 2"]
    assert seen.figure().legends[0].get_texts()[1].get_text() == "layer 2: act call 2 (Tanh)"


def test_a_module_without_parameters_is_measured():
    (row,) = viz.activations(nn.Sequential(nn.Tanh()), X).measure(0)
    assert row.mean == pytest.approx(np.tanh(X).mean(), abs=1e-6)


def test_errors_say_what_to_do():
    with pytest.raises(ValueError, match="no layer '9'; there are 0, 1, 2"):
        viz.activations(network(), X, layers=["9"])
    with pytest.raises(ValueError, match=r"no activation of minigrad\.nn"):
        viz.activations(nn.Sequential(nn.Linear(6, 2)), X)
    with pytest.raises(ValueError, match=r"call \.measure\(step\)"):
        viz.activations(network(), X).figure()


def test_a_layer_that_returns_more_than_a_tensor_and_no_inputs_are_refused():
    class Pair(nn.Module):
        def forward(self, x):
            return x, x

    class First(nn.Module):
        def __init__(self):
            self.pair = Pair()

        def forward(self, x):
            return self.pair(x)[0]

    with pytest.raises(TypeError, match="layer 'pair' returned a tuple; measured are"):
        viz.activations(First(), X, layers=["pair"]).measure(0)
    with pytest.raises(ValueError, match=r"x has shape \(0, 6\); give inputs"):
        viz.activations(network(), X[:0])


@pytest.mark.parametrize(
    ("kinds", "title"),
    [
        ((nn.ReLU, nn.ReLU), "outputs that are 0"),
        ((nn.ReLU, nn.GELU), "outputs that are 0"),
        ((nn.Tanh, nn.Sigmoid), "saturated outputs"),
        ((nn.Tanh, nn.ReLU), "saturated outputs (ReLU: that are 0)"),
    ],
)
def test_the_panel_of_saturation_says_what_it_shows(kinds, title):
    seen = viz.activations(nn.Sequential(*(kind() for kind in kinds)), X)
    seen.measure(0)
    assert seen.figure().axes[1].get_title(loc="left") == title


def test_the_picture_has_a_line_a_layer_with_its_means_and_shares(tmp_path):
    seen = viz.activations(network(), X)
    for step in (0, 10, 20):
        seen.measure(step)
        seen.model[0].weight.data *= 2
    means, shares, ridges = seen.figure("a title").axes
    for i, layer in enumerate(seen.layers):
        rows = seen.of(layer)
        assert list(means.lines[i].get_xdata()) == [0, 10, 20]
        assert list(means.lines[i].get_ydata()) == [row.mean for row in rows]
        assert list(shares.lines[i].get_ydata()) == [100 * row.saturated for row in rows]
        band = means.collections[i].get_paths()[0].vertices
        for row in rows:
            edges = band[band[:, 0] == row.step, 1]
            assert edges.min() == pytest.approx(row.mean - row.std)
            assert edges.max() == pytest.approx(row.mean + row.std)
        heights = ridges.lines[i].get_ydata() - i
        assert np.allclose(heights, 0.85 * rows[-1].counts / rows[-1].counts.max())
    assert len(viz.activations(network(nn.GELU), X).measure(0)) == 2
    assert seen.save(tmp_path / "a.png").exists()


def test_without_saturation_there_is_no_panel_of_it():
    seen = viz.activations(network(nn.GELU), X)
    seen.measure(0)
    assert len(seen.figure().axes) == 2


def test_the_top_layer_of_a_deep_sigmoid_network_sinks_as_glorot_and_bengio_saw():
    """Their figure 2: the last hidden layer is soon pushed down, the others are not."""
    mg.manual_seed(0)
    train, test = datasets.digits().split(test=0.2, seed=0)
    layers = []
    for inputs in (64, 200, 200, 200):
        layers += [nn.Linear(inputs, 200), nn.Sigmoid()]
    model = nn.Sequential(*layers, nn.Linear(200, 10))
    optimizer, loss_fn = optim.SGD(model.parameters(), lr=0.1), nn.CrossEntropyLoss()
    seen = viz.activations(model, test.x[:300])
    step = 0
    for _ in range(4):
        for x, y in train.loader(batch_size=10, shuffle=True, seed=0):
            if step % 100 == 0:
                seen.measure(step)
            optimizer.zero_grad()
            loss_fn(model(x), y).backward()
            optimizer.step()
            step += 1
    top = [row.mean for row in seen.of(seen.layers[-1])]
    assert top[0] > 0.45
    assert top[-1] < 0.3
    assert all(b < a for a, b in itertools.pairwise(top))
    for layer in seen.layers[:-1]:
        assert min(row.mean for row in seen.of(layer)) > 0.47
