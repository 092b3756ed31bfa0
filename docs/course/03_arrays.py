# %% [markdown]
# # 3. Arrays, and why gradients are summed back
#
# Networks compute with arrays. The rules of chapter 2 stay as they are, with one addition, which
# this chapter is about: what was **broadcast** on the way forward is **summed** on the way back.

# %%
import matplotlib.pyplot as plt
import numpy as np

import minigrad as mg
from minigrad import viz

# %% [markdown]
# ## A gradient has the shape of its tensor
#
# Let $L$ be a number, computed from an array $X$. Its gradient $\bar{X}$ is the array of all
# $\partial L/\partial X_{ij}$: a number for each number.

# %%
X = mg.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], requires_grad=True)
(X**2).sum().backward()
print(X.grad)

# %% [markdown]
# ## Broadcasting
#
# In $Y = X + b$ with $X$ of shape (2, 3) and $b$ of shape (3,), NumPy adds $b$ to every row. That
# is $Y_{ij} = X_{ij} + b_j$: each $b_j$ is used twice, once in each row. By the chain rule it
# gets a share from each use, and the shares add up:
#
# $$\bar{b}_j = \sum_i \bar{Y}_{ij}\,\frac{\partial Y_{ij}}{\partial b_j} = \sum_i \bar{Y}_{ij}.$$
#
# It is the rule for two paths from chapter 1 again. Only the paths are many.

# %%
b = mg.tensor([10.0, 20.0, 30.0], requires_grad=True)
Y = X + b
G = mg.tensor([[1.0, 2.0, 3.0], [0.5, 0.0, -1.0]])  # some gradient that arrives at Y
Y.backward(G)
print("gradient at b", b.grad)
print("column sums  ", G.sum(0))

# %%
fig, axes = plt.subplots(1, 4, figsize=(8, 1.9), width_ratios=[3, 3, 3, 3])
spread = np.broadcast_to(b.numpy(), (2, 3))
shown = {
    "b, (3,)": b.numpy()[None],
    "b in every row, (2, 3)": spread,
    "gradient at Y, (2, 3)": G.numpy(),
    "summed: gradient at b": b.grad.numpy()[None],
}
for ax, (title, values) in zip(axes, shown.items(), strict=True):
    ax.imshow(values, cmap="cividis", alpha=0.75)
    for (i, j), value in np.ndenumerate(values):
        ax.text(j, i, f"{value:g}", ha="center", va="center", color="black")
    ax.set_title(title, fontsize=9)
    ax.set_axis_off()
viz.show(plt.gcf(), "runs/course/03-1.png")

# %% [markdown]
# Two maps are at work. Forward, $b$ goes through the matrix $S$ that repeats it; back, the
# gradient goes through $S^\top$, which sums. A linear operation's derivative is always its
# transpose, and **repeating and summing are each other's transposes**. Here is that matrix:

# %%
S = mg.jacobian(lambda b: (mg.zeros(2, 3) + b).reshape(6))(b.detach())
print(S.numpy())
assert (S.T @ G.reshape(6)).tolist() == b.grad.tolist()

# %% [markdown]
# ## The other way round
#
# Now the sum goes forward. In $s_i = \sum_j X_{ij}$ each $X_{ij}$ has a part in one sum, with
# derivative 1, so the gradient $\bar{s}_i$ is repeated along the row.

# %%
X.grad = None
X.sum(1).backward(mg.tensor([1.0, -2.0]))
print(X.grad)

# %% [markdown]
# ## A layer
#
# A layer of a network is $Y = XW^\top + b$, with the samples in the rows of $X$. Its gradients
# are
#
# $$\bar{W} = \bar{Y}^\top X, \qquad \bar{b} = \sum_i \bar{Y}_{i}, \qquad \bar{X} = \bar{Y}\,W.$$
#
# The first is a sum over the samples too, hidden in the matrix product. So the gradient of a sum
# of losses is the sum of the samples' gradients, and no loop over samples is needed.

# %%
rng = np.random.default_rng(0)
X, W, b = (mg.tensor(rng.normal(size=shape)).requires_grad_() for shape in [(5, 3), (2, 3), (2,)])
Y = X @ W.T + b
G = mg.tensor(rng.normal(size=Y.shape))
Y.backward(G)

one_by_one = sum(mg.outer(G[i], X[i]) for i in range(5))
print(abs(W.grad - one_by_one).max().item())

# %% [markdown]
# ## What must hold

# %%
assert np.allclose(W.grad.numpy(), G.numpy().T @ X.numpy())
assert np.allclose(W.grad.numpy(), one_by_one.numpy())
assert np.allclose(b.grad.numpy(), G.numpy().sum(0))
assert np.allclose(X.grad.numpy(), G.numpy() @ W.numpy())

# %% [markdown]
# ## Exercises
#
# 1. What is the gradient of the *mean* over 100 samples by $b$, in terms of $\bar{Y}$? Check it.
# 2. A column $c$ of shape (2, 1) times a row $r$ of shape (1, 3) is a matrix of shape (2, 3).
#    Both are broadcast. Write down $\bar{c}$ and $\bar{r}$, and let the engine confirm them.
