# %% [markdown]
# # 8. Regularization: learning less by heart
#
# With enough parameters a network can learn its training data by heart. What we want is that it
# does well on data it has not seen. This chapter makes a network overfit, and then tries five
# ways to hold it back.

# %%
import matplotlib.pyplot as plt

import minigrad as mg
from minigrad import datasets, nn, optim, training, viz

# %% [markdown]
# ## Overfitting, on purpose
#
# 100 images of digits to learn from, a fifth of their labels wrong, and a network with many more
# parameters than that. As test we take images with right labels.

# %%
everything, test = datasets.digits().split(test=0.4, seed=0)
x, y = everything.x[:100], everything.y[:100].copy()
y[::5] = (y[::5] + 1) % 10  # the wrong labels
train = datasets.Dataset(x, y)
EPOCHS = 60


def fit(layers, penalties=lambda model: [], **options):
    """Return the history of a network that begins with 64 × 128 weights."""
    mg.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 128), *layers, nn.Linear(128, 10))
    weight_decay = options.pop("weight_decay", 0.0)
    optimizer = optim.AdamW(model.parameters(), lr=3e-3, weight_decay=weight_decay)
    return training.fit(
        model,
        nn.CrossEntropyLoss(),
        optimizer,
        train,
        test,
        epochs=EPOCHS,
        batch_size=25,
        penalties=penalties(model),
        seed=0,
        progress=False,
        **options,
    )


plain = fit([nn.ReLU()])
fig, axes = plt.subplots(1, 2, figsize=(8, 3))
for ax, metric in zip(axes, ["loss", "accuracy"], strict=True):
    ax.plot(plain[metric], label="training, a fifth of the labels wrong")
    ax.plot(plain[f"test_{metric}"], label="test")
    ax.set(xlabel="epoch", title=metric)
axes[0].legend()
viz.show(plt.gcf(), "runs/course/08-1.png")

# %% [markdown]
# The training loss goes to zero: in the end the network knows even the wrong labels by heart. The
# test loss falls at first, while the network learns what the images have in common, and then
# rises.
#
# ## Five ways to hold it back
#
# - **L2**: add $\frac{\lambda}{2} \|\theta\|^2$ to the loss, or let the weights decay by the
#   factor $1 - \alpha\lambda$ at each step (AdamW does the latter). Large weights must pay.
# - **L1**: add $\lambda \|\theta\|_1$. Its slope is the same for small weights as for large ones,
#   so that weights which do little are driven to zero.
# - **Dropout**: in training set each unit to 0 with probability $p$, and scale the others by
#   $1/(1 - p)$, so that the mean stays. No unit can rely on another.
# - **Normalization**: a batch norm gives each unit mean 0 and variance 1 over a batch. That is
#   meant to make training easy; the noise of the batches regularizes on the side.
# - **Early stopping**: end when the test loss has not fallen for a while, and go back to the best
#   weights. (Where the result is to be reported, a third part of the data must decide this.)

# %%
stopping = training.EarlyStopping(patience=15)
runs = {
    "nothing": plain,
    "weight decay (L2)": fit([nn.ReLU()], weight_decay=1.0),
    "L1": fit([nn.ReLU()], lambda model: [nn.L1Penalty(model.parameters(), 1e-3)]),
    "dropout": fit([nn.ReLU(), nn.Dropout(0.5)]),
    "batch norm": fit([nn.BatchNorm(128), nn.ReLU()]),
    "early stopping": fit([nn.ReLU()], callbacks=[stopping]),
}

fig, ax = plt.subplots(figsize=(7, 3.6))
for (name, run), style in zip(runs.items(), ["k-", "-", "--", "-.", ":", "-"], strict=True):
    ax.plot(run["test_loss"], style, lw=3 if name == "early stopping" else 1.6, label=name)
ax.set(xlabel="epoch", title="test loss")
ax.legend()
viz.show(plt.gcf(), "runs/course/08-2.png")

# %%
for name, run in runs.items():
    best = min(run["test_loss"])
    print(f"{name:>18}: test loss {best:.2f} at best, {run['test_loss'][-1]:.2f} in the end")

# %% [markdown]
# What matters is the right end of the lines. Four of the ways keep the network from unlearning
# what it knew, each at a price: a number to choose, or slower training. Batch norm did not: it
# makes training easy, and here that means learning the wrong labels sooner. Which of them helps
# is a question to the data, and the answer is a curve like these.
#
# ## Dropout is only for training
#
# A module knows whether it trains: `model.train()` and `model.eval()` switch. In evaluation,
# dropout does nothing, and a batch norm uses the averages that it has collected.

# %%
dropout = nn.Dropout(0.5)
ones = mg.ones(10_000)
kept = dropout(ones)
print(sorted(set(kept.tolist())), kept.mean().item())
dropout.eval()
print(dropout(ones).mean().item())

# %% [markdown]
# ## What must hold

# %%
end = {name: run["test_loss"][-1] for name, run in runs.items()}
assert plain["accuracy"][-1] > 0.99
assert end["nothing"] > 1.1 * min(plain["test_loss"])
assert all(end[name] < end["nothing"] for name in runs if name not in ("nothing", "batch norm"))
assert len(runs["early stopping"]["test_loss"]) == stopping.best_epoch + 15 < EPOCHS
assert abs(kept.mean().item() - 1) < 0.05

# %% [markdown]
# ## Exercises
#
# 1. Count the weights whose size is below 0.001, with L1 and without. `optim.AdamW(..., l1=1e-3)`
#    makes exact zeros; how many?
# 2. Use 1,000 images in place of 100. Which of the five still help?
