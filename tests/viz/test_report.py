"""The report of runs: what its charts and tables say, against the numbers that were written."""

import json
from html.parser import HTMLParser

import pytest

from minigrad import viz
from minigrad.viz.reports.lines import Line, chart

LOSSES = [1.0, 0.5, 0.25]


def run(path, losses=LOSSES, lr=0.1, extra=""):
    """Make a run folder."""
    path.mkdir()
    config = {"options": {"lr": lr, "hidden": [8, 4]}, "environment": {"numpy": "2.4"}}
    (path / "config.json").write_text(json.dumps(config))
    rows = [{"epoch": i, "step": i, "loss": v, "test_loss": 2 * v} for i, v in enumerate(losses, 1)]
    (path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + extra)
    return path


class Page(HTMLParser):
    """The elements of a page with their attributes, and the cells of its tables by row."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.rows, self.text = [], {}, ""
        self.marked, self._row, self._mark = set(), None, False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag == "tr":
            self._row, self._mark = [], dict(attributes).get("class") == "differs"
        elif tag in ("td", "th"):
            self._row.append("")

    def handle_data(self, data):
        self.text += data
        if self._row:
            self._row[-1] += data

    def handle_endtag(self, tag):
        if tag == "tr":
            self.rows[self._row[0]] = self._row[1:]
            self.marked |= {self._row[0]} if self._mark else set()
            self._row = None


def points(page):
    """Return the points of every line that has more than the two of a legend's."""
    paths = [a["d"] for tag, a in page.elements if tag == "path" and "line" in a["class"]]
    return [[tuple(map(float, p.split())) for p in d[1:].split("L")] for d in paths if "L" in d]


def test_a_report_has_the_curves_the_numbers_and_the_configuration(tmp_path):
    page = Page(viz.report(run(tmp_path / "a")))
    train, test = points(page)
    across = [x for x, _ in train]
    assert across[1] - across[0] == pytest.approx(across[2] - across[1], abs=0.11)
    down = [y for _, y in train]
    assert (down[1] - down[0]) / (down[2] - down[1]) == pytest.approx(2, abs=0.01)  # 0.5 to 0.25
    assert test[1][1] == pytest.approx(down[0], abs=0.1)  # both are 1.0
    assert page.rows["epoch"] == ["3"]
    assert page.rows["loss"] == ["0.25"]
    assert page.rows["options.hidden"] == ["8, 4"]
    assert page.rows["numpy"] == ["2.4"]
    assert not page.marked
    assert "Train: the mean over an epoch while its weights change" in page.text


def test_two_runs_stand_side_by_side_with_their_differences_marked(tmp_path):
    one, two = run(tmp_path / "a"), run(tmp_path / "b", [1.0, 0.2], lr=0.3)
    page = Page(viz.report(one, two))
    assert page.rows["options.lr"] == ["0.1", "0.3"]
    assert page.rows["loss"] == ["0.25", "0.2"]
    assert {"options.lr", "loss", "epoch"} <= page.marked
    assert not {"options.hidden", "numpy"} & page.marked
    assert [len(line) for line in points(page)] == [3, 3, 2, 2]
    assert "Dashed is train: the mean over an epoch while its weights change" in page.text


def test_twelve_runs_are_told_apart_in_grey_too(tmp_path):
    """By the marks alone: in the legend each has its own, and its lines have the same."""
    text = viz.report(*[run(tmp_path / f"r{i:02}", [1.0 + i, 0.5 + i]) for i in range(12)])
    marks = [
        (a["d"], "filled" in a["class"], a["class"].split()[-1])
        for tag, a in Page(text).elements
        if tag == "path" and "mark" in a["class"]
    ]
    keys, drawn = marks[:12], marks[12:]
    assert len({(d, filled) for d, filled, _ in keys}) == 12
    assert len(drawn) == 2 * 2 * 12  # of train and test, at both epochs
    assert set(drawn) == set(keys)
    assert text.index("<h2>Curves") < text.index("<h2>Last numbers") < text.index("class='tile'")


def test_the_page_needs_no_other_file_and_shows_names_as_they_are(tmp_path):
    folder = run(tmp_path / "<script>alert('1')<")
    (folder / "graph.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    page = Page(viz.report(folder))
    assert "<script>alert('1')<" in page.text
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "link", "iframe", "object"}
    sources = [a["src"] for _, a in page.elements if "src" in a]
    assert [source.partition(",")[0] for source in sources] == ["data:image/svg+xml;base64"]
    assert all(a["alt"] for tag, a in page.elements if tag == "img")
    assert all("aria-label" in a or "aria-hidden" in a for t, a in page.elements if t == "svg")


def test_a_line_that_a_killed_run_left_half_written_is_left_out(tmp_path):
    assert Page(viz.report(run(tmp_path / "a", extra='{"epoch": 4, "lo'))).rows["epoch"] == ["3"]


def test_a_run_without_an_epoch_says_so(tmp_path):
    assert "No epoch is measured yet." in Page(viz.report(run(tmp_path / "a", []))).text


def test_what_is_no_run_is_named(tmp_path):
    with pytest.raises(viz.ReportError, match=r"nowhere is no run \(no such folder\)"):
        viz.report(tmp_path / "nowhere")
    with pytest.raises(viz.ReportError, match=r"no config\.json in it"):
        viz.report(tmp_path)
    with pytest.raises(viz.ReportError, match=r"metrics\.jsonl is damaged \(line 4"):
        viz.report(run(tmp_path / "torn", extra="{}}\n"))
    with pytest.raises(viz.ReportError, match="no run given"):
        viz.report()


def test_values_far_apart_are_drawn_by_their_logarithms():
    page = Page(chart([Line("loss", [1, 2, 3], [1.0, 0.1, 0.01], 0)], "falls"))
    [[(_, first), (_, middle), (_, last)]] = points(page)
    assert middle - first == pytest.approx(last - middle, abs=0.11)
    assert ("svg", "falls") in [(tag, a.get("aria-label")) for tag, a in page.elements]


@pytest.mark.parametrize("values", [[0.0], [1e30], [-3.0, -3.0], [1e-12, 2e-12]])
def test_any_values_can_be_drawn(values):
    page = Page(chart([Line("x", range(1, len(values) + 1), values, 0)], "x"))
    numbers = [float(a[k]) for _, a in page.elements for k in ("x", "y") if k in a]
    assert numbers
    assert all(-20 < number < 440 for number in numbers)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("status.json", '{"state": "finished", "time": NaN}'),
        ("status.json", '{"state": "finished", "time": 1e30}'),
        ("status.json", '{"state": "finished", "time": 1e17}'),
        ("layers.jsonl", '{"epoch": Infinity, "layers": [{"layer": "0", "signal": 1}]}\n'),
        ("config.json", '{"a":' * 30_000 + "1" + "}" * 30_000),
    ],
    ids=lambda text: text[:40],
)
def test_no_value_of_a_file_is_a_traceback(tmp_path, file, text):
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "config.json").write_text("{}")
        (folder / "metrics.jsonl").write_text('{"epoch": 1, "loss": 1.0, "step": 3}\n')
    viz.report(tmp_path / "a")
    (tmp_path / "a" / file).write_text(text)
    with pytest.raises(viz.ReportError, match=r"a\b.*damaged.*legal is what training wrote"):
        viz.report(tmp_path / "a")
