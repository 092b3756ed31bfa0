"""A training run for test_resume.py to kill: ``python killable.py FOLDER [EVENT:NUMBER]``.

With an event it kills itself, at the NUMBER-th time that a file is opened for writing (``open``) or
renamed (``rename``) in FOLDER, just before that happens, or after step NUMBER (``step``). Prints
"done" at the end, and leaves what GradientFlow measured in FOLDER.flow.json.
"""

import json
import os
import signal
import sys
from pathlib import Path

import minigrad as mg
from minigrad import datasets, nn, optim, training


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def die_at_file_event(folder, event, number):
    seen = 0

    def hook(name, arguments):
        nonlocal seen
        if name == ("os.rename" if event == "rename" else "open") and arguments:
            path, mode = str(arguments[0]), arguments[1]
            if "status.json" in path or "report.html" in path:  # they follow the clock
                return
            if path.startswith(folder) and (event == "rename" or mode in ("w", "a")):
                seen += 1
                if seen == number:
                    die()

    sys.addaudithook(hook)


class DieAtStep(training.Callback):
    order = 85  # after the log has its line, before the checkpoint is written

    def __init__(self, step):
        self.step = step

    def on_step_end(self, loop):
        if loop.step == self.step:
            die()


def main(folder, kill=None):
    flow = training.GradientFlow(every=4)
    callbacks = [
        flow,
        training.EarlyStopping(patience=2, min_delta=0.15),
        training.JSONLLog(every_steps=1),
        training.Checkpoint(every_steps=3),
        training.CSVLog(Path(folder).parent / (Path(folder).name + ".csv")),
    ]
    if kill is not None:
        event, number = kill.split(":")
        if event == "step":
            callbacks.append(DieAtStep(int(number)))
        else:
            die_at_file_event(folder, event, int(number))
    mg.manual_seed(0)
    train, test = datasets.digits().split(test=0.2, seed=0)
    model = nn.Sequential(
        nn.Linear(64, 24), nn.BatchNorm(24), nn.ReLU(), nn.Dropout(0.2), nn.Linear(24, 10)
    )
    optimizer = optim.Adam(model.parameters(), lr=0.02, weight_decay=1e-4)
    schedule = optim.CosineAnnealingLR(optimizer, 40)
    callbacks.append(training.LearningRate(schedule, every="step"))
    training.fit(
        model,
        nn.CrossEntropyLoss(),
        optimizer,
        train.subset(slice(0, 700)),
        test,
        epochs=9,
        batch_size=64,
        clip=1.0,
        callbacks=callbacks,
        run=folder,
        resume=True,
    )
    Path(folder + ".flow.json").write_text(json.dumps([flow.rows, flow.verdicts]))
    print("done")


if __name__ == "__main__":
    main(*sys.argv[1:])
