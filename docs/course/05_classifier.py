# %% [markdown]
# # 5. A first classifier, by hand-written gradient descent
#
# A gradient says how to change the parameters so that the loss falls. Doing that again and again
# is training. In this chapter there is no module and no optimizer: arrays, a loss, and a short
# loop.

# %%
import matplotlib.pyplot as plt
import numpy as np

import minigrad as mg
from minigrad import datasets, viz

# %% [markdown]
# ## Two half moons
#
# The data are points of the plane in two classes, which no straight line separates.

# %%
data = datasets.moons(400, noise=0.1, seed=0)
x, y = mg.tensor(data.x), data.y
colors = np.array(["#0072b2", "#d55e00"])
plt.scatter(*data.x.T, c=colors[data.y], s=8)
plt.gca().set_aspect("equal")
viz.show(plt.gcf(), "runs/course/05-1.png")

# %% [markdown]
# ## A model is a function of its parameters
#
# Two layers: from the plane to 16 numbers, through $\tanh$, to one number for each class. These
# two numbers are called logits. The softmax turns them into probabilities,
#
# $$p_k = \frac{e^{z_k}}{\sum_j e^{z_j}},$$
#
# and the loss of a sample is $-\log p$ of its true class: 0 if the model was sure and right,
# $\log 2 \approx 0.69$ if it guesses between two, and large if it was sure and wrong.

# %%
rng = np.random.default_rng(0)
W1 = mg.tensor(rng.normal(0, 1, (2, 16)), dtype=mg.float32, requires_grad=True)
b1 = mg.zeros(16, requires_grad=True)
W2 = mg.tensor(rng.normal(0, 0.25, (16, 2)), dtype=mg.float32, requires_grad=True)
b2 = mg.zeros(2, requires_grad=True)
parameters = {"W1": W1, "b1": b1, "W2": W2, "b2": b2}


def model(x):
    return mg.tanh(x @ W1 + b1) @ W2 + b2


def loss_of(x, y):
    z = model(x)
    log_p = z - mg.logsumexp(z, axis=1, keepdims=True)
    return -log_p[np.arange(len(y)), y].mean()


viz.show(viz.graph(loss_of(x, y), parameters), "runs/course/05-2.svg")

# %% [markdown]
# The logarithm of the softmax is $z_k - \log \sum_j e^{z_j}$. To compute it in this form keeps
# the exponentials from overflowing.
#
# ## The loop
#
# **Gradient descent** takes a step against the gradient:
# $\theta \leftarrow \theta - \alpha\,\nabla L(\theta)$. The number $\alpha$ is the learning rate.
# Under `no_grad` nothing is recorded: the update is not part of what is differentiated. And
# because `backward()` *adds* to `.grad`, that is set to `None` before each sweep.

# %%
losses = []
for _ in range(2000):
    for p in parameters.values():
        p.grad = None
    loss = loss_of(x, y)
    loss.backward()
    with mg.no_grad():
        for p in parameters.values():
            p -= p.grad
    losses.append(loss.item())
print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")

# %% [markdown]
# ## What it has learned
#
# For each point of a grid, the model says how probable the second class is.

# %%
across, down = np.meshgrid(np.linspace(-1.5, 1.5, 150), np.linspace(-1.1, 1.1, 110))
grid = mg.tensor(np.stack([across.ravel(), down.ravel()], axis=1), dtype=mg.float32)
with mg.no_grad():
    p = mg.softmax(model(grid), axis=1)[:, 1].numpy().reshape(across.shape)

fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3), width_ratios=[1, 1.4])
left.semilogy(losses)
left.set(xlabel="step", title="loss")
right.contourf(across, down, p, levels=20, cmap="coolwarm", alpha=0.5)
right.contour(across, down, p, levels=[0.5], colors="black")
right.scatter(*data.x.T, c=colors[data.y], s=10, edgecolors="white", linewidths=0.4)
right.grid(visible=False)
right.set_title("probability of the second class; the line is at one half")
viz.show(plt.gcf(), "runs/course/05-3.png")

# %% [markdown]
# The line bends around the moons. Near it the colors are pale: there the model is not sure.
#
# Were these points learned by heart? New ones from the same moons tell.

# %%
fresh = datasets.moons(1000, noise=0.1, seed=1)
with mg.no_grad():
    predicted = model(mg.tensor(fresh.x)).argmax(axis=1).numpy()
accuracy = (predicted == fresh.y).mean()
print(f"{accuracy:.1%} of 1,000 new points")

# %% [markdown]
# ## What must hold

# %%
assert losses[-1] < 0.1 < losses[0]
assert accuracy > 0.97

# %% [markdown]
# ## Exercises
#
# 1. Leave out the $\tanh$. What accuracy do you get, how does the line look, and why?
# 2. Compute each step's gradient from 20 points drawn at random. How do the curve of the loss and
#    the time for a step change?
