"""`minigrad report` as its user meets it: where the page is, and what is said of bad input."""

import pytest

from minigrad.cli import main

TRAIN = ["train", "--dataset", "blobs", "--hidden", "4", "--epochs", "1", "--quiet"]


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main([*TRAIN, "--run", "a"]) == 0
    assert main([*TRAIN, "--optimizer", "sgd", "--run", "b"]) == 0
    return tmp_path


def test_runs_are_compared_in_one_file(runs, capsys):
    assert main(["report", "a", "b"]) == 0
    assert capsys.readouterr().out == "comparison.html\n"
    page = (runs / "comparison.html").read_text()
    row = '<tr class="differs"><th>options.optimizer</th><td>adam</td><td>sgd</td></tr>'
    assert row in page


def test_a_comparison_that_is_there_stays(runs, capsys):
    (runs / "comparison.html").write_text("mine")
    (runs / "comparison-2.html").symlink_to("nowhere")
    assert main(["report", "a", "b"]) == 0
    assert main(["report", "b", "a"]) == 0
    assert capsys.readouterr().out == "comparison-3.html\ncomparison-4.html\n"
    assert (runs / "comparison.html").read_text() == "mine"
    assert not (runs / "nowhere").exists()
    assert main(["report", "a", "b", "--output", "comparison.html"]) == 0
    assert "options.optimizer" in (runs / "comparison.html").read_text()


def test_one_run_has_its_report_written_anew(runs, capsys):
    file = runs / "a" / "report.html"
    before = file.read_text()
    file.unlink()
    assert main(["report", "a"]) == 0
    assert capsys.readouterr().out == "a/report.html\n"
    assert file.read_text() == before
    assert main(["report", "a", "--output", "mine.html"]) == 0
    assert (runs / "mine.html").read_text() == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "nowhere is no run (no such folder)"),
        (["."], ". is no run (no config.json in it)"),
        (["a/report.html"], "a/report.html is no run (it is a file)"),
        (["a", "b"], "b/metrics.jsonl is damaged (line 1, it is no JSON object)"),
        (["a", "--output", "none/x.html"], "none/x.html: cannot be written"),
        (["a", "--outptu", "x"], "did you mean --output?"),
        ([], "RUN"),
    ],
)
def test_bad_input_is_one_line_and_status_2(runs, capsys, arguments, said):
    (runs / "b" / "metrics.jsonl").write_text("nonsense\n")
    assert main(["report", *arguments]) == 2
    out, err = capsys.readouterr()
    assert said in err
    assert err.startswith("minigrad: ")
    assert err.count("\n") == 1
    assert out == ""


def test_a_folder_is_no_file_to_write_and_nothing_is_left_beside_it(runs, capsys):
    (runs / "pages").mkdir()
    before = sorted(runs.iterdir())
    assert main(["report", "a", "b", "--output", "pages"]) == 2
    error = capsys.readouterr().err
    assert error == (
        "minigrad: pages: cannot be written (it is a folder); try --output with another file\n"
    )
    assert sorted(runs.iterdir()) == before
