# %% [markdown]
# # 7. The optimizers are formulas
#
# Momentum, RMSprop, Adam: each is two or three lines of arithmetic on the gradient. We write them
# down, check them against the library's, and let them race.

# %%
import matplotlib.pyplot as plt
import numpy as np

import minigrad as mg
from minigrad import optim, viz

# %% [markdown]
# ## What is wrong with plain gradient descent
#
# Take a valley that is steep across and gentle along: $f(x, y) = \frac{1}{2}(x^2 + 50 y^2)$.
# Across, a step longer than $2/50$ overshoots by more than it came with. Along, such short steps
# take forever. One learning rate does not fit both.


# %%
def valley(p):
    return 0.5 * (p[0] ** 2 + 50 * p[1] ** 2)


def path(f, start, step, steps, **hyper):
    """Return the points that a formula visits; step(t, θ, g, state, ...) gives θ and state."""
    theta, state, points = mg.tensor(start, dtype=mg.float64), {}, [np.array(start)]
    for t in range(1, steps + 1):
        theta = step(t, theta, mg.grad(f)(theta), state, **hyper)
        points.append(theta.numpy().copy())
    return np.array(points)


# %% [markdown]
# ## The formulas
#
# With $g$ for the gradient and $\alpha$ for the learning rate:
#
# **Gradient descent** goes straight down: $\theta \leftarrow \theta - \alpha g$.
#
# **Momentum** (Polyak 1964) lets the ball roll: $v \leftarrow \mu v + g$ and
# $\theta \leftarrow \theta - \alpha v$. What points now left, now right cancels in $v$; what
# keeps its direction adds up, to $1/(1 - \mu)$ times as much.
#
# **RMSprop** (Tieleman and Hinton 2012) gives each coordinate a scale of its own, the root of the
# mean square of its gradients: $s \leftarrow \beta s + (1 - \beta) g^2$ and
# $\theta \leftarrow \theta - \alpha\, g/\sqrt{s + \varepsilon}$.
#
# **Adam** (Kingma and Ba 2015) does both: $m \leftarrow \beta_1 m + (1 - \beta_1) g$ and
# $v \leftarrow \beta_2 v + (1 - \beta_2) g^2$. Both start at 0 and so are too small at first, by
# the factor $1 - \beta^t$. That is divided out:
#
# $$\hat{m} = \frac{m}{1 - \beta_1^t}, \qquad \hat{v} = \frac{v}{1 - \beta_2^t}, \qquad
# \theta \leftarrow \theta - \alpha\,\frac{\hat{m}}{\sqrt{\hat{v}} + \varepsilon}.$$


# %%
def descent(t, theta, g, state, lr):
    return theta - lr * g


def momentum(t, theta, g, state, lr, mu=0.8):
    state["v"] = mu * state.get("v", 0) + g
    return theta - lr * state["v"]


def rmsprop(t, theta, g, state, lr, beta=0.9, eps=1e-8):
    state["s"] = beta * state.get("s", 0) + (1 - beta) * g * g
    return theta - lr * g / mg.sqrt(state["s"] + eps)


def adam(t, theta, g, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    state["m"] = beta1 * state.get("m", 0) + (1 - beta1) * g
    state["v"] = beta2 * state.get("v", 0) + (1 - beta2) * g * g
    m, v = state["m"] / (1 - beta1**t), state["v"] / (1 - beta2**t)
    return theta - lr * m / (mg.sqrt(v) + eps)


# %%
methods = {"gradient descent": (descent, 0.038), "momentum": (momentum, 0.03)}
methods |= {"RMSprop": (rmsprop, 0.2), "Adam": (adam, 0.3)}
paths = {name: path(valley, [-9.0, 1.5], step, 60, lr=lr) for name, (step, lr) in methods.items()}

fig, axes = plt.subplots(2, 2, figsize=(8, 4), sharex=True, sharey=True)
across, down = np.meshgrid(np.linspace(-10, 3, 200), np.linspace(-2, 2, 200))
heights = valley([across, down]) ** 0.25
for ax, (name, points) in zip(axes.flat, paths.items(), strict=True):
    ax.contour(across, down, heights, levels=12, cmap="Greys", linewidths=0.7)
    ax.plot(*points.T, "o-", ms=2, lw=1)
    ax.set(title=f"{name}: f = {valley(points[-1]):.1e}", xlim=(-10, 3), ylim=(-2, 2))
    ax.grid(visible=False)
viz.show(plt.gcf(), "runs/course/07-1.png")

# %% [markdown]
# Gradient descent zigzags across and creeps along. Momentum damps the zigzag and gathers speed,
# overshoots, and comes back. RMSprop and Adam divide by the gradients' size, so that the two
# coordinates advance at the same pace, as if the valley were round.
#
# ## The same formulas in the library
#
# An optimizer of minigrad *is* such a formula: `optim.Adam.update` has these lines. Around it the
# base class looks after parameters, state and files. So the two must walk the same path.


# %%
def library_path(method, f, start, steps, **hyper):
    p = mg.tensor(start, dtype=mg.float64, requires_grad=True)
    optimizer, points = method([p], **hyper), [np.array(start)]
    for _ in range(steps):
        optimizer.step(lambda: f(p))
        points.append(p.numpy().copy())
    return np.array(points)


twins = {
    "gradient descent": library_path(optim.SGD, valley, [-9.0, 1.5], 60, lr=0.038),
    "momentum": library_path(optim.SGD, valley, [-9.0, 1.5], 60, lr=0.03, momentum=0.8),
    "RMSprop": library_path(optim.RMSprop, valley, [-9.0, 1.5], 60, lr=0.2),
    "Adam": library_path(optim.Adam, valley, [-9.0, 1.5], 60, lr=0.3),
}
apart = {name: abs(twins[name] - paths[name]).max() for name in twins}
print({name: f"{value:.0e}" for name, value in apart.items()})

# %% [markdown]
# ## The race
#
# A race says little by itself, for each method has a learning rate, and the winner is often the
# one that was tuned best. `viz.race` runs every method at each rate of one grid and keeps its
# best run. Rosenbrock's valley is bent, so that no scale for each coordinate makes it round.

# %%
race = viz.race("rosenbrock", ["sgd", "momentum", "adam"])
viz.show(race, "runs/course/07-2.png")

# %% [markdown]
# ## What must hold

# %%
assert max(apart.values()) < 1e-9
assert valley(paths["momentum"][-1]) < 0.1 * valley(paths["gradient descent"][-1])
assert race.runs["momentum"].rank < race.runs["sgd"].rank

# %% [markdown]
# ## Exercises
#
# 1. At which rate exactly does gradient descent begin to diverge here? See chapter 9.
# 2. Turn the valley by 45°. Which methods do not notice, and which lose their advantage, and why?
