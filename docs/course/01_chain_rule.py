# %% [markdown]
# # 1. The chain rule on one number
#
# All of this course rests on one rule, which you know from school. If $y$ depends on $u$, and $u$
# depends on $x$, then
#
# $$\frac{dy}{dx} = \frac{dy}{du}\,\frac{du}{dx}.$$
#
# Here it is done three times for one function: by hand, by the engine, and by the definition of
# the derivative.

# %%
import math

import matplotlib.pyplot as plt

import minigrad as mg
from minigrad import viz

# %% [markdown]
# ## A function in small steps
#
# Take $y = \sin(x^2)\,e^{-x}$. Written so that each line does one thing, it is a list of five
# operations. A computer works it out in just this way.


# %%
def f(x):
    square = x * x
    sine = mg.sin(square)
    decay = mg.exp(-x)
    return sine * decay


x = mg.tensor(1.5, requires_grad=True, dtype=mg.float64)
viz.show(viz.graph(f, x, show="values"), "runs/course/01-1.svg")

# %% [markdown]
# The picture is a graph. Each box is an operation, and below its name is its value. An arrow says
# whose value goes where. Two paths lead from $x$ to the result, one through the sine and one
# through the exponential; and the first product takes $x$ twice.
#
# ## By hand
#
# Walk from the result back to $x$. Each operation on the way multiplies by its own derivative;
# where paths meet, what they bring is added. For the two paths that is
#
# $$\frac{dy}{dx} = \underbrace{e^{-x}\,\cos(x^2)\,2x}_{\text{through the sine}}
# \; + \; \underbrace{\sin(x^2)\,(-e^{-x})}_{\text{through the exponential}}.$$

# %%
v = 1.5
through_sine = math.exp(-v) * math.cos(v * v) * 2 * v
through_exponential = math.sin(v * v) * -math.exp(-v)
by_hand = through_sine + through_exponential
print(f"{through_sine:.6f} + {through_exponential:.6f} = {by_hand:.6f}")

# %% [markdown]
# ## By the engine
#
# A tensor made with `requires_grad=True` is watched: every operation on it is recorded.
# `backward()` then takes the walk that we took by hand, and leaves the derivative in `x.grad`.

# %%
y = f(x)
y.backward()
print(f"backward: {x.grad.item():.6f}")

# %% [markdown]
# ## By the definition
#
# A derivative is the limit of $\frac{f(x+h) - f(x-h)}{2h}$. For a small $h$ that is the slope of
# a line through two neighbouring points of the curve.

# %%
h = 1e-6
difference = (f(v + h) - f(v - h)) / (2 * h)
print(f"difference: {difference:.6f}")

# %% [markdown]
# A function that is called with plain numbers gives plain numbers. Nothing is recorded then.
#
# ## The slope, everywhere
#
# `mg.grad(f)` is the derivative as a function. It can be called with many numbers at once if each
# result depends on its own number only, by way of the sum of all results.

# %%
xs = mg.linspace(0, 3, 200)
slopes = mg.grad(lambda x: f(x).sum())(xs)

plt.plot(xs.numpy(), f(xs).numpy(), label="$f(x)$")
plt.plot(xs.numpy(), slopes.numpy(), "--", label="$f'(x)$, by the engine")
near = [v - 0.4, v + 0.4]
plt.plot(near, [y.item() + by_hand * (t - v) for t in near], "k", lw=1, label="tangent at 1.5")
plt.plot(v, y.item(), "ko", ms=4)
plt.xlabel("$x$")
plt.legend()
viz.show(plt.gcf(), "runs/course/01-2.png")

# %% [markdown]
# Where $f$ has a maximum or a minimum, its slope crosses zero.
#
# ## What must hold
#
# By hand and by the engine the same numbers are multiplied and added, so the two agree to the
# last digits. The difference has an error of its own: chapter 4 is about how large.

# %%
assert math.isclose(x.grad.item(), by_hand, rel_tol=1e-14)
assert math.isclose(difference, by_hand, rel_tol=1e-8)

# %% [markdown]
# ## Exercises
#
# 1. Put $\tanh(x)$ in place of $e^{-x}$. Which of the two terms changes, and how? Check with
#    `mg.grad`.
# 2. The first product takes $x$ twice. Explain by the chain rule why its derivative is $2x$ and
#    not $x$, and write $x^2$ as `x**2` to see the graph without the double arrow.
