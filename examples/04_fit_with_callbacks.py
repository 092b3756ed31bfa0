"""The same training in one call: fit, with penalties, a schedule, clipping and early stopping."""

import minigrad as mg
from minigrad import datasets, nn, optim, training

mg.manual_seed(0)
train, test = datasets.digits().split(test=0.2, seed=0)
train, validation = train.split(test=0.2, seed=1)

model = nn.Sequential(
    nn.Linear(64, 128), nn.BatchNorm(128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, 10)
)
loss_fn = nn.CrossEntropyLoss()
optimizer = optim.Adam(model.parameters(), lr=3e-3)
stopping = training.EarlyStopping(patience=6)


class Watch(training.Callback):
    """Prints an epoch's numbers: a callback is a class with the hooks that it wants."""

    def on_epoch_end(self, loop):
        """Look at the row that the epoch added to the history."""
        row = loop.history.rows[-1]
        text = "epoch {epoch:2}  lr {lr:.1e}  loss {loss:.4f}  validation {test_accuracy:.2%}"
        print(text.format(**row))


history = training.fit(
    model,
    loss_fn,
    optimizer,
    train,
    validation,  # early stopping must not see the data that the result is reported on
    epochs=60,
    penalties=[nn.L2Penalty(model.parameters(), 1e-4)],
    schedule=optim.CosineAnnealingLR(optimizer, 60),
    clip=5.0,
    seed=0,
    callbacks=[stopping, Watch()],
)

print(f"stopped: {history.stopped}")
print(f"notes: {history.notes}")
scores = training.evaluate(model, loss_fn, test)
print(f"test accuracy {scores['accuracy']:.2%}")

assert len(history) == stopping.best_epoch + 6 < 60
assert scores["accuracy"] > 0.96
