"""Progress: a bar on a terminal, silence elsewhere, plain lines without the library."""

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading

import pytest

import minigrad as mg
from minigrad import datasets, nn, optim, training


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown(file, **options):
    """Train, and return what `file` was written."""
    trained(file, **options)
    return file.getvalue()


def trained(file, **options):
    mg.manual_seed(0)
    train, test = datasets.digits().split(test=0.2, seed=0)
    model = nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    options = {"epochs": 3} | options
    callbacks = [training.Progress(file, interval=0), *options.pop("callbacks", [])]
    training.fit(
        model, nn.CrossEntropyLoss(), optimizer, train, test, callbacks=callbacks, **options
    )


def test_the_bar():
    text = shown(Terminal())
    last = re.split("[\r\n]", text.strip())[-1]
    assert "epoch 3/3" in last
    assert "100%|" in last
    assert re.search(r"loss 0\.\d{4}, accuracy 9\d\.\d\d%, test loss 0\.\d{4}, test acc", last)
    assert re.search(r"[\d.]+k? samples/s \d\d:\d\d<00:00", last)
    assert "epoch 2/3  4" in text or "epoch 2/3  5" in text  # it moves within epochs


def drawn(width, **options):
    """Return what is drawn, one after the other, on a real terminal of `width` columns."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    parts = []

    def read():
        while b"\0" not in b"".join(parts[-1:]):
            parts.append(os.read(master, 65536))

    reader = threading.Thread(target=read)
    reader.start()
    with open(slave, "w", encoding="utf-8") as file:
        trained(file, **options)
        file.write("\0")
        file.flush()
        reader.join()
    os.close(master)
    return re.split("[\r\n]+", b"".join(parts).decode().strip("\0\r\n"))


WIDTHS = {
    160: r"epoch 3/3 100%\|.{8,}\| \S+ samples/s \S+, loss 0\.\d{4}, accuracy .+, test acc.+%",
    100: r"epoch 3/3 100%\|.{8,}\| \S+ samples/s \S+, loss 0\.\d{4} 9.+%, test 0\.\d{4} 9\d\.\d\d%",
    80: r"epoch 3/3 100%\|.{8,}\| \d\d:\d\d<00:00, loss 0\.\d{4} 9.+%, test 0\.\d{4} 9\d\.\d\d%",
    60: r"3/3 100%\|.{8,}\| loss 0\.\d{4} 9\d\.\d\d%, test 0\.\d{4} 9\d\.\d\d%",
    40: r"3/3 100%\|.{8,}\| test 0\.\d{4} 9\d\.\d\d%",
    25: r"3/3 \|.{8,}\|",
}


@pytest.mark.parametrize("width", WIDTHS)
def test_the_bar_fits_the_terminal(width):
    drawings = drawn(width)
    assert max(map(len, drawings)) < width
    assert re.fullmatch(WIDTHS[width], drawings[-1])


def test_a_loss_of_many_digits_leaves_room_for_the_bar():

    class Grown(training.Callback):
        order = 99

        def on_epoch_end(self, loop):
            loop.history.rows[-1] |= {"loss": 123456789.0, "test_loss": 1e30}

    last = drawn(80, callbacks=[Grown()])[-1]
    assert re.search(r"\|.{8,}\| .*loss 1\.235e\+08 9.+%, test 1e\+30 9.+%", last)


def test_the_last_test_figures_stay_within_an_epoch():
    drawings = drawn(80)
    second = [line for line in drawings if line.startswith("epoch 2/3  4")]
    assert second
    assert all(", test 0." in line for line in second)


def test_what_callbacks_say_is_shown():
    text = shown(Terminal(), callbacks=[training.EarlyStopping(1, min_delta=9)], epochs=5)
    assert "stopped after epoch 2: test_loss has not improved for 1 epochs" in text


def test_silent_elsewhere(capsys):
    assert shown(io.StringIO()) == ""
    mg.manual_seed(0)
    model = nn.Linear(64, 10)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    training.fit(model, nn.CrossEntropyLoss(), optimizer, datasets.digits(), epochs=1)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("library", ["tqdm", "safetensors"])
def test_without_the_library(library, tmp_path):
    """An interpreter in which the library cannot be imported."""
    code = f"""
import sys
sys.modules[{library!r}] = None
from minigrad import datasets, nn, optim, training
class Terminal:
    def isatty(self): return True
    def write(self, text): sys.stdout.write(text)
    def flush(self): pass
model = nn.Linear(64, 10)
optimizer = optim.SGD(model.parameters(), lr=0.1)
run = {str(tmp_path / "run")!r} if {library!r} == "safetensors" else None
training.fit(model, nn.CrossEntropyLoss(), optimizer, datasets.digits(), epochs=2, run=run,
             callbacks=[training.Progress(Terminal())])
try:
    training.fit(model, nn.CrossEntropyLoss(), optimizer, datasets.digits(), epochs=2, run=run,
                 callbacks=[training.Checkpoint()])
except (ImportError, ValueError) as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    if library == "tqdm":
        assert len(lines) == 3
        pattern = r"epoch 2/2: loss \d\.\d+, accuracy \d+\.\d+%, [\d,]+ samples/s, 0 s left"
        assert re.fullmatch(pattern, lines[1])
    else:
        need = (
            "checkpoints need the safetensors library: pip install safetensors, or minigrad[train]"
        )
        said = f"no checkpoint, so that this run cannot be resumed: {need}"
        assert [line for line in lines if "safetensors" in line] == [said, need]
        files = {path.name for path in (tmp_path / "run").iterdir()}
        assert {"report.html", "metrics.jsonl", "layers.jsonl", "config.json"} <= files
        assert "checkpoint.safetensors" not in files
        assert need in (tmp_path / "run" / "report.html").read_text()
