# %% [markdown]
# # 2. The graph, and the way back
#
# Chapter 1 said that the engine records what you compute and then walks back. Here we look at
# what it records and follow the walk step by step. At the end there is an engine of our own, in
# twenty lines.

# %%
import math

import matplotlib.pyplot as plt

import minigrad as mg
from minigrad import viz

# %% [markdown]
# ## What is recorded
#
# A result knows its **node**: the operation, and the nodes of the values that went in. Nothing
# else is needed to find the way back.

# %%
x = mg.tensor(1.5, requires_grad=True, dtype=mg.float64)
y = mg.sin(x * x) * mg.exp(-x)


def walk(node, depth=0):
    """Print a node, and below it those that it came from."""
    print("    " * depth + (node.op.__name__ if hasattr(node, "op") else "x"))
    for parent in getattr(node, "parents", []):
        walk(parent, depth + 1)


walk(y.node)

# %% [markdown]
# ## What is kept
#
# The derivative of $\sin u$ is $\cos u$: on the way back its $u$ is needed again, so it is kept.
# The derivative of a sum is 1, whatever the numbers were, so a sum keeps nothing. `show="bytes"`
# writes into each box how much it keeps.

# %%
a = mg.randn(1000, requires_grad=True)
kept = viz.graph(lambda a: (mg.tanh(a + 1) + mg.sin(a) + 3).sum(), a, show="bytes")
viz.show(kept, "runs/course/02-1.svg")

# %% [markdown]
# The sums keep nothing. The sine keeps its input, which exists anyway. Of $\tanh$ the derivative
# is $1 - \tanh^2$, so that the *result* is kept. Training needs more memory than predicting does,
# and this is why.
#
# ## The way back, step by step
#
# Write $\bar{u}$ for $\partial y/\partial u$, the gradient at $u$. The walk starts at the result
# with $\bar{y} = 1$. At each operation it hands every input its share,
#
# $$\bar{u} \leftarrow \bar{u} + \bar{v}\,\frac{\partial v}{\partial u},$$
#
# and it takes the operations from the newest to the oldest: when one has its turn, all that used
# its value have added their share. A graph that was asked for gradients knows the steps.


# %%
def f(x):
    return mg.sin(x * x) * mg.exp(-x)


graph = viz.graph(f, x, show=("values", "gradients"))
names = {vertex.key: vertex.name for vertex in graph.vertices}
for number, step in enumerate(graph.steps, 1):
    gives = ", ".join(f"{names[a.target]} now has {a.after.mean:+.3f}" for a in step.adds)
    print(f"{number}. {names[step.vertex]:4} has {step.gradient.mean:+.3f}; {gives}")
viz.show(graph, "runs/course/02-2.svg")

# %% [markdown]
# The last step gives $x$ its share twice, once for each factor of $x \cdot x$. Together with what
# came by the other path, that makes the derivative of chapter 1. Colors show the gradient's size.
# As a page, `viz.html(f, "graph.html", x)`, the walk can be driven from the keyboard.
#
# ## An engine in twenty lines
#
# A value, the values it came from, and for each of these the derivative: that is an engine for
# numbers. Ours follows the same rule. minigrad does it for arrays, and for any order.


# %%
made = []  # all values, the oldest first


class Value:
    """A number that remembers what it was computed from, and the derivatives by that."""

    def __init__(self, number, *came_from):
        self.number, self.came_from, self.gradient = number, came_from, 0.0
        made.append(self)

    def __mul__(self, other):
        return Value(self.number * other.number, (self, other.number), (other, self.number))

    def __neg__(self):
        return Value(-self.number, (self, -1.0))

    def backward(self):
        self.gradient = 1.0
        for value in reversed(made):
            for parent, derivative in value.came_from:
                parent.gradient += value.gradient * derivative


def sin(u):
    return Value(math.sin(u.number), (u, math.cos(u.number)))


def exp(u):
    return Value(math.exp(u.number), (u, math.exp(u.number)))


ours = Value(1.5)
(sin(ours * ours) * exp(-ours)).backward()
y.backward()
print("our engine", ours.gradient)
print("minigrad  ", x.grad.item())

# %% [markdown]
# Reverse order is the whole trick. One walk gives the derivative by *every* input, for little
# more than what computing the result cost. Below, one `backward()` for a function of 200 numbers.

# %%
z = mg.linspace(0, 3, 200).requires_grad_()
(f(z) * f(z)).sum().backward()
plt.plot(z.numpy(), z.grad.numpy())
plt.xlabel("$z_i$")
plt.ylabel(r"$\partial/\partial z_i \, \Sigma f(z_j)^2$")
viz.show(plt.gcf(), "runs/course/02-3.png")

# %% [markdown]
# ## What must hold

# %%
assert [names[step.vertex] for step in graph.steps] == ["mul", "exp", "neg", "sin", "mul"]
assert math.isclose(ours.gradient, x.grad.item(), rel_tol=1e-14)

# %% [markdown]
# ## Exercises
#
# 1. Give `Value` an `__add__` and a `tanh`, and differentiate $\tanh(x \cdot x + x)$ with both
#    engines.
# 2. Leave out `reversed`, so that the oldest goes first. What comes out, and why is it wrong?
