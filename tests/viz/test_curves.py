"""The curves' picture: a PNG with a panel for each metric, from rows or from a file of them."""

import json
import subprocess
import sys

import pytest

from minigrad import viz
from minigrad.viz.curves import panels

ROWS = [
    {"epoch": e, "train_loss": 1 / e, "test_loss": 1.1 / e, "test_accuracy": 1 - 1 / e, "lr": 0.1}
    for e in (1, 2, 3)
]  # fmt: skip


def test_metrics_share_a_panel_by_their_name():
    found = panels(ROWS)
    assert {m: list(lines) for m, lines in found.items()} == {
        "loss": ["train", "test"],
        "accuracy": ["test"],
    }
    assert found["loss"]["test"] == ([1, 2, 3], [1.1, 0.55, pytest.approx(1.1 / 3)])


def test_rows_and_their_file_give_the_same_picture(tmp_path):
    file = tmp_path / "metrics.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    one = viz.curves(ROWS, tmp_path / "a.png").read_bytes()
    two = viz.curves(file, tmp_path / "b.png").read_bytes()
    assert one.startswith(b"\x89PNG")
    assert one == two
    assert len(one) > 10_000


def test_nothing_to_draw_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="no metric to draw"):
        viz.curves([{"epoch": 1, "note": "x"}], tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def test_a_run_folder_will_do_and_a_line_that_is_just_written_is_left_out(tmp_path):
    lines = "".join(json.dumps(row) + "\n" for row in ROWS)
    (tmp_path / "metrics.jsonl").write_text(lines + '{"epoch": 4, "lo')
    one = viz.curves(ROWS, tmp_path / "a.png").read_bytes()
    assert viz.curves(tmp_path, tmp_path / "b.png").read_bytes() == one


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, r"metrics\.jsonl cannot be read \(No such file or directory\)"),
        ("nonsense\n", r"metrics\.jsonl is damaged \(line 1, it is no JSON object\)"),
        ("[1]\n", r"metrics\.jsonl is damaged \(line 1"),
        ("", "there is no metric to draw"),
    ],
)
def test_what_holds_no_rows_is_named(tmp_path, content, said):
    if content is not None:
        (tmp_path / "metrics.jsonl").write_text(content)
    for given in (tmp_path, str(tmp_path / "metrics.jsonl")):
        with pytest.raises(ValueError, match=said):
            viz.curves(given, tmp_path / "a.png")


@pytest.mark.parametrize("history", [3, None, [1, 2], {"epoch": 1, "loss": 2.0}])
def test_what_is_no_history_is_said_to_be_none(tmp_path, history):
    with pytest.raises(TypeError, match="is no history; give what"):
        viz.curves(history, tmp_path / "a.png")


def test_no_global_state_of_matplotlib_is_touched(tmp_path):
    code = (
        "import sys; from minigrad import viz;"
        "viz.curves([{'epoch': 1, 'loss': 1.0}], sys.argv[1]);"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.png")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "False"
