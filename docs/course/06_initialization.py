# %% [markdown]
# # 6. Modules, first weights, and gradients that vanish
#
# Deep networks were hard to train for a long time. Much of the reason was in the numbers they
# started from. This chapter builds deep networks from modules, and looks at what their first
# weights do to signals on the way forward and to gradients on the way back.

# %%
import math

import matplotlib.pyplot as plt

import minigrad as mg
from minigrad import nn, viz

# %% [markdown]
# ## Modules
#
# In chapter 5 the parameters were variables of ours. A **module** keeps them: `nn.Linear` has a
# weight and a bias, `nn.Sequential` has modules, and `model.parameters()` finds all of them.

# %%
mg.manual_seed(0)
small = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2))
print(small)
viz.show(viz.graph(small, mg.randn(8, 2)), "runs/course/06-1.svg")

# %% [markdown]
# ## What a layer does to the size of a signal
#
# Let the inputs $x_j$ of a layer be independent, with mean 0, and its weights too, with variance
# $\sigma^2$. Then $y_i = \sum_j w_{ij} x_j$ is a sum of $n$ terms, and the variances multiply and
# add:
#
# $$\operatorname{Var}(y) = n\,\sigma^2\,\operatorname{Var}(x).$$
#
# Through $L$ layers that is the factor $(n\sigma^2)^L$. Anything but 1 inside the bracket grows
# or shrinks *exponentially* with depth. On the way back the same sum runs over the outputs. Hence
# the choices
#
# - $\sigma^2 = 1/n$ (LeCun; Glorot and Bengio for layers as wide as the next), for $\tanh$, which
#   is about the identity near 0;
# - $\sigma^2 = 2/n$ (He et al.), for ReLU, which sets half of its inputs to 0 and so halves the
#   mean square.

# %%
DEPTH, WIDTH = 30, 100


def network(init, activation):
    """Return a deep network whose layers all start alike."""
    mg.manual_seed(0)
    layers = []
    for _ in range(DEPTH):
        layers += [nn.Linear(WIDTH, WIDTH, init=init), activation()]
    return nn.Sequential(*layers)


def flow(model):
    """Return the root mean square of signals and of gradients, layer by layer."""
    x, signals = mg.randn(200, WIDTH), []
    for layer in model:
        x = layer(x)
        if not isinstance(layer, nn.Linear):
            signals.append(x)
    # Only gradients at the weights are kept; a hook sees those of the signals as they pass.
    gradients = {}
    for i, signal in enumerate(signals):
        signal.register_hook(lambda g, i=i: gradients.update({i: rms(g)}))
    x.backward(mg.randn(200, WIDTH))
    return [rms(signal) for signal in signals], [gradients[i] for i in range(DEPTH)]


def rms(t):
    return math.sqrt((t.detach() ** 2).mean().item())


# %% [markdown]
# ## Six networks

# %%
choices = {
    "tanh, σ = 0.01": (lambda w: nn.init.normal_(w, std=0.01), nn.Tanh),
    "tanh, 1/n": (nn.init.xavier_normal_, nn.Tanh),
    "sigmoid, 1/n": (nn.init.xavier_normal_, nn.Sigmoid),
    "ReLU, 1/n": (nn.init.xavier_normal_, nn.ReLU),
    "ReLU, 2/n": (nn.init.kaiming_normal_, nn.ReLU),
    "ReLU, 4/n": (lambda w: nn.init.normal_(w, std=2 / math.sqrt(WIDTH)), nn.ReLU),
}
found = {name: flow(network(*choice)) for name, choice in choices.items()}

fig, axes = plt.subplots(1, 2, figsize=(8.5, 3.6))
styles = ["-", "-", "-.", "--", "-", ":"]
for (name, (signals, gradients)), style in zip(found.items(), styles, strict=True):
    axes[0].semilogy(range(1, DEPTH + 1), signals, style, label=name)
    axes[1].semilogy(range(1, DEPTH + 1), gradients, style, label=name)
for ax, title in zip(
    axes, ["signal, on the way forward", "gradient, on the way back"], strict=True
):
    ax.set(xlabel="layer", title=title, ylim=(1e-16, 1e8))
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=9)
viz.show(plt.gcf(), "runs/course/06-2.png")

# %% [markdown]
# Read the left picture from left to right and the right one from right to left. With weights that
# are too small both die out: the first layers are told nothing, and do not learn. That is the
# **vanishing gradient**. With $4/n$ both explode. With $2/n$ for ReLU, and $1/n$ for $\tanh$,
# they arrive.
#
# The sigmoid's signals look healthy, since $\operatorname{sigmoid}(0) = \frac{1}{2}$ holds them
# up. Its gradients vanish all the same: its derivative is at most $\frac{1}{4}$, so that each
# layer takes three quarters and more. This is why hidden layers are no longer made of sigmoids.
#
# ## What must hold
#
# For ReLU the theory gives the factor $\frac{1}{2} n\sigma^2$ for the mean square, layer by
# layer; so two networks that differ in $\sigma^2$ by a factor of 2 have signals that differ by
# $2^{L/2}$.

# %%
small_weights, healthy = found["ReLU, 1/n"][0], found["ReLU, 2/n"][0]
ratio = healthy[-1] / small_weights[-1]
print(f"measured {ratio:.0f}, theory {2 ** (DEPTH / 2):.0f}")

# %%
last, first = -1, 0
assert math.isclose(ratio, 2 ** (DEPTH / 2), rel_tol=1e-3)
assert 0.1 < healthy[last] < 10
assert found["sigmoid, 1/n"][1][first] < 1e-12 * found["sigmoid, 1/n"][1][last]
assert found["ReLU, 4/n"][1][first] > 100 * found["ReLU, 4/n"][1][last]
assert 0.1 < found["ReLU, 2/n"][1][first] / found["ReLU, 2/n"][1][last] < 10

# %% [markdown]
# ## Exercises
#
# 1. Give each layer a shortcut, $x \leftarrow x + f(x)$, as residual networks do. Why does the
#    gradient now arrive even with small weights?
# 2. Put an `nn.BatchNorm(WIDTH)` before each ReLU. How much does $\sigma$ matter then?
