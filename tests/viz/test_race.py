"""The race: its paths, counts and choice of rates, and that picture and animation show them."""

import dataclasses
import itertools
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.animation import FFMpegWriter
from matplotlib.colors import to_rgb
from PIL import Image

import minigrad as mg
from minigrad import optim, viz
from minigrad.viz.race_figure import draw, ffmpeg

BOWL = viz.Surface(
    name="bowl",
    formula="x² + 3y²",
    function=lambda x, y: x * x + 3 * y * y,
    minima=[(0.0, 0.0)],
    minimum=0.0,
    domain=(-2.0, 2.0, -2.0, 2.0),
    start=(1.5, -1.0),
    source="this test",
)


def rosenbrock_slope(x, y):
    return np.array([-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)])


def test_paths_and_values_are_those_of_loops_by_hand():
    race = viz.race("rosenbrock", ["sgd", "momentum"], rates=[1e-3], budget=30)
    for name, mu in (("sgd", 0.0), ("momentum", 0.9)):
        theta, v = np.array([-1.2, 1.0]), np.zeros(2)
        points, values = [], []
        for _ in range(31):
            x, y = theta
            points.append(theta)
            values.append((1 - x) ** 2 + 100 * (y - x * x) ** 2)
            v = mu * v + rosenbrock_slope(x, y)
            theta = theta - 1e-3 * v
        run = race.runs[name]
        assert np.allclose(run.points, points, rtol=1e-9, atol=1e-12)
        assert np.allclose(run.values, values, rtol=1e-9)
        assert run.costs == list(range(31))
        assert run.end == "spent"


@pytest.mark.parametrize("method", ["adam", "lbfgs", "newton", "newton-cg", "derivative-free-cg"])
def test_every_call_of_f_is_counted(method):
    """The surface counts its calls; the race's own, one a point, are not the method's."""
    calls = 0

    def counting(x, y):
        nonlocal calls
        calls += 1
        return BOWL(x, y)

    surface = dataclasses.replace(BOWL, function=counting)
    run = viz.race(surface, [method], rates=[0.5], budget=40).runs[method]
    assert run.evaluations[-1] + len(run.points) == calls
    assert run.evaluations[0] == run.products[0] == 0


def test_a_hessian_costs_a_product_a_column_and_a_product_two():
    run = viz.race("himmelblau", ["newton"], rates=[1.0]).runs["newton"]
    assert run.arrived
    assert run.products == [2 * i for i in range(run.steps + 1)]
    assert run.costs[-1] == run.evaluations[-1] + 4 * run.steps


def test_the_rate_is_the_best_of_the_grid_tried_one_by_one():
    rates = [0.01, 0.1, 0.3]
    race = viz.race(BOWL, ["sgd", "adam"], rates=rates, budget=50)
    for name, run in race.runs.items():
        alone = [viz.race(BOWL, [name], rates=[rate], budget=50).runs[name] for rate in rates]
        assert race.trials[name] == alone
        arrived = [other.costs[-1] for other in alone if other.values[-1] <= 1e-8]
        if arrived:
            assert run.costs[-1] == min(arrived)
        else:
            assert run.values[-1] == min(other.values[-1] for other in alone)
    assert race.runs["sgd"].lr == 0.1  # by hand: 1 − 2·0.1 and 1 − 6·0.1; at 0.3, 1 − 6·0.3 = −0.8
    assert race.runs["sgd"].arrived


def test_a_run_ends_where_it_arrives_diverges_or_finds_no_step():
    far = viz.race("rosenbrock", ["sgd"], rates=[10.0]).runs["sgd"]
    assert far.end == "diverged"
    assert not np.isfinite(far.values[-1])
    local = viz.race("rastrigin", ["lbfgs"], rates=[1.0]).runs["lbfgs"]
    assert local.end == "stuck"
    assert local.values[-1] > 0.9
    there = viz.race(BOWL, ["newton"], rates=[1.0]).runs["newton"]
    assert there.end == "arrived"
    assert there.steps == 1
    begun = viz.race(BOWL, ["sgd"], start=(0, 0)).runs["sgd"]
    assert begun.steps == begun.costs[-1] == 0
    # One that arrives is before one that ends low, and both before one that diverged.
    assert sorted([far, local, there], key=lambda run: run.rank) == [there, local, far]


@pytest.mark.parametrize("surface", list(viz.SURFACES))
@pytest.mark.parametrize("method", list(optim.METHODS))
def test_every_method_runs_on_every_surface(method, surface):
    if optim.METHODS[method].needs_outputs and viz.SURFACES[surface].residuals is None:
        with pytest.raises(ValueError, match="rosenbrock, beale, himmelblau are"):
            viz.race(surface, [method])
        return
    run = viz.race(surface, [method], rates=[0.01], budget=8).runs[method]
    assert len(run.points) > 1
    assert run.points[0] == viz.SURFACES[surface].start


def test_methods_are_names_classes_or_factories():
    heavy = lambda p, lr: optim.SGD(p, lr=lr, momentum=0.99)  # noqa: E731
    one = viz.race(BOWL, {"heavy": heavy, "plain": "sgd"}, rates=[0.01], budget=10)
    assert list(one.runs) == ["heavy", "plain"]
    assert one.runs["heavy"].points[2] != one.runs["plain"].points[2]
    assert list(viz.race(BOWL, [optim.Adam, "sgd"], budget=3).runs) == ["adam", "sgd"]
    assert list(viz.race(BOWL, "adam", budget=3).runs) == ["adam"]


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"methods": ["adm"]}, "no method 'adm'; there are sgd, .* try 'adam'"),
        ({"methods": []}, "methods is empty"),
        ({"methods": {"mine": ["adam"]}}, r"mine: no method \['adam'\]"),
        ({"methods": ["sgd", optim.SGD]}, "'sgd' more than once; give a mapping"),
        ({"methods": [lambda p, lr: p, lambda p, lr: p]}, "'<lambda>' more than once"),
        ({"methods": [["sgd"]]}, r"no method \['sgd'\]"),
        ({"start": ("a", 1)}, r"start=\('a', 1\); legal are two finite numbers"),
        ({"rates": 0.1}, r"rates=0.1; legal are finite numbers above 0"),
        ({"rates": ["a"]}, r"rates=\['a'\]; legal are finite numbers above 0"),
        ({"budget": True}, "budget=True; legal is an integer from 1"),
        ({"tolerance": "x"}, "tolerance='x'; legal is a finite number from 0"),
        ({"start": 3.0}, r"start=3.0; legal are two finite numbers"),
        ({"start": (0.0, float("nan"))}, "legal are two finite numbers"),
        ({"methods": {"mine": lambda p, lr: p}}, "mine: the factory returned a list"),
        ({"rates": []}, "legal are finite numbers above 0"),
        ({"rates": [0.1, -1.0]}, "legal are finite numbers above 0"),
        ({"budget": 0}, "budget=0; legal is an integer from 1"),
        ({"tolerance": -1.0}, "legal is a finite number from 0"),
    ],
)
def test_what_is_not_legal_says_what_is(keywords, message):
    with pytest.raises(ValueError, match=message):
        viz.race(BOWL, **keywords)


def test_numpys_numbers_and_labels_that_are_no_text_serve():
    race = viz.race(
        BOWL, {1: "sgd"}, rates=np.array([0.1]), budget=np.int64(5), start=np.array([1.0, 1.0])
    )
    assert race.start == (1.0, 1.0)
    assert type(race.budget) is int
    assert list(race.runs) == ["1"]
    assert race.table().splitlines()[1].startswith("1 ")


@pytest.mark.parametrize(
    ("value", "message"), [(1.0, "one value everywhere"), (np.nan, "no finite value")]
)
def test_a_surface_without_levels_is_not_drawn(value, message):
    flat = dataclasses.replace(BOWL, function=lambda x, y: 0 * x * y + value)
    with pytest.raises(ValueError, match=f"bowl has {message} on its domain"):
        viz.race(flat, ["sgd"], rates=[0.1], budget=2).figure()


def test_with_tolerance_0_the_curves_end_at_the_least_f_above_the_minimum():
    round_ = dataclasses.replace(BOWL, function=lambda x, y: x * x + y * y)
    race = viz.race(round_, ["sgd", "adam"], rates=[0.5], budget=20, tolerance=0)
    assert race.runs["sgd"].values[-1] == 0  # 1 − 2·0.5
    above = [v for run in race.runs.values() for v in run.values if v > 0]
    paper, lines = draw(race)
    assert min(y for _, curve in lines.values() for y in curve.get_ydata()) == min(above)
    assert paper.axes[1].get_ylim()[0] > min(above) / 10


RACE = viz.race(BOWL, ["sgd", "momentum", "newton"], rates=[0.01, 0.1, 1.0], budget=25)


def test_the_caption_says_how_rates_were_chosen_and_what_costs_what():
    assert "the best of the same 3 from 0.01 to 1" in RACE.caption
    assert "ends with the step that reaches 25 evaluations" in RACE.caption
    assert "counts as two" in RACE.caption
    texts = [text.get_text() for text in RACE.figure().texts]
    assert RACE.caption in texts or RACE.figure()._supxlabel.get_text() == RACE.caption


def test_the_table_has_a_row_a_run_the_best_first():
    rows = [line.split() for line in RACE.table().splitlines()[1:]]
    assert [row[0] for row in rows] == RACE.ranking
    assert RACE.ranking[0] == "newton"
    for name, lr, steps, cost, _, end in rows:
        run = RACE.runs[name]
        assert (lr, steps, cost) == (f"{run.lr:g}", str(run.steps), str(run.costs[-1]))
        assert end == run.end


def test_the_lines_of_the_picture_are_the_runs():
    paper, lines = draw(RACE)
    for name, run in RACE.runs.items():
        path, curve = lines[name]
        assert np.array_equal(np.transpose(path.get_data()), run.points)
        assert list(curve.get_xdata()) == run.costs
        assert np.allclose(curve.get_ydata()[:-1], run.values[:-1])
    labels = [text.get_text() for text in paper.legends[0].get_texts()]
    assert labels == [f"{name}, lr {run.lr:g}" for name, run in RACE.runs.items()]
    looks = {(p.get_color(), p.get_marker(), p.get_linestyle()) for p, _ in lines.values()}
    assert len({look[0] for look in looks}) == len({look[1] for look in looks}) == 3


def test_a_run_that_diverged_is_drawn_as_far_as_one_can(tmp_path):
    race = viz.race("rosenbrock", ["sgd", "adam", "newton"], rates=[1e3], budget=40)
    assert race.runs["sgd"].end == "diverged"
    paper, lines = draw(race)
    paper.draw_without_rendering()
    path, curve = lines["sgd"]
    assert np.abs(path.get_data()).max() <= 400 < np.abs(race.runs["sgd"].points).max()
    assert curve.get_ydata()[-1] == pytest.approx(24.2 * 1e4)
    assert len(curve.get_ydata()) == len(race.runs["sgd"].values)
    assert race.animate(tmp_path / "race.gif", frames=2).exists()


def test_a_surface_may_have_edges():
    surface = dataclasses.replace(BOWL, function=lambda x, y: x * x - mg.log(x + 1) + y * y)
    race = viz.race(surface, ["sgd"], budget=5)
    race.figure().draw_without_rendering()  # half of the domain has no value


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_it_is_saved_by_the_suffix(suffix, tmp_path):
    path = RACE.save(tmp_path / f"race.{suffix}")
    magic = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[suffix]
    assert path.read_bytes().startswith(magic)
    with pytest.raises(ValueError, match=r"one of \.svg, \.png, \.pdf"):
        RACE.save(tmp_path / "race.bmp")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        RACE.save(tmp_path / "none" / "race.png")


def test_a_notebook_shows_it():
    assert RACE._repr_png_().startswith(b"\x89PNG")


def test_the_animation_has_its_frames_and_goes_on_to_the_end(tmp_path):
    path = RACE.animate(tmp_path / "race.gif", frames=7, fps=5)
    with Image.open(path) as film:
        assert film.n_frames == 7
        assert film.info["duration"] == 200
        assert film.info["loop"] == 0
        frames = []
        for i in range(7):
            film.seek(i)
            frames.append(np.asarray(film.convert("RGB")).astype(int))
    changed = [np.abs(b - a).sum() > 0 for a, b in itertools.pairwise(frames)]
    assert all(changed)
    for path, _ in draw(RACE)[1].values():  # the colors have survived the palette
        color = np.array(to_rgb(path.get_color())) * 255
        assert (np.abs(frames[-1] - color).max(axis=2) < 8).any()


def decoded(path):
    """Return the frames of a film as ffmpeg reads them, or skip the test where there is none."""
    try:
        program = ffmpeg()
    except viz.RenderError as error:
        pytest.skip(str(error))
    command = [program, "-loglevel", "error", "-i", path, "-f", "image2pipe", "-c:v", "ppm", "-"]
    images = subprocess.run(command, capture_output=True, check=True).stdout
    width, height = map(int, images.split(b"\n", 2)[1].split())
    head = len(b"P6\n%d %d\n255\n" % (width, height))
    frames = np.frombuffer(images, "uint8").reshape(-1, head + width * height * 3)
    return frames[:, head:].reshape(-1, height, width, 3).astype(int)


@pytest.mark.parametrize("where", ["path", "wheel"])
def test_an_mp4_is_written_by_ffmpeg(where, tmp_path):
    """The program is on the path, or in the wheel if there is none on the path."""
    if where == "path" and not FFMpegWriter.isAvailable():
        pytest.skip("ffmpeg is not on the path")
    if where == "wheel":
        pytest.importorskip("imageio_ffmpeg", reason="needs: pip install imageio-ffmpeg")
    known = "ffmpeg" if where == "path" else "no-such-program"
    with mpl.rc_context({"animation.ffmpeg_path": known}):
        frames = decoded(RACE.animate(tmp_path / "race.mp4", frames=5))
    assert len(frames) == 5
    changed = [np.abs(b - a).max() for a, b in itertools.pairwise(frames)]
    assert min(changed) > 50  # the paths have gone on
    for path, _ in draw(RACE)[1].values():
        color = np.array(to_rgb(path.get_color())) * 255
        assert (np.abs(frames[-1] - color).max(axis=2) < 40).any()


def test_without_ffmpeg_an_mp4_is_one_clear_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with (
        mpl.rc_context({"animation.ffmpeg_path": "no-such-program"}),
        pytest.raises(viz.RenderError, match="needs the program ffmpeg: pip install imageio-f"),
    ):
        RACE.animate(tmp_path / "race.mp4")
    assert not (tmp_path / "race.mp4").exists()


@pytest.mark.parametrize("keywords", [{"frames": 0}, {"fps": 0}, {"fps": 1.5}])
def test_an_animation_has_a_frame_and_a_speed(keywords, tmp_path):
    with pytest.raises(ValueError, match="legal is an integer from 1"):
        RACE.animate(tmp_path / "race.gif", **keywords)
    with pytest.raises(ValueError, match=r"one of \.gif, \.mp4"):
        RACE.animate(tmp_path / "race.png")


def test_a_race_is_run_without_matplotlib():
    code = (
        "import sys; from minigrad import viz; viz.race('ravine', ['adam'], budget=5)\n"
        "print('matplotlib' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
