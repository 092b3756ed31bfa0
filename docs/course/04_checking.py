# %% [markdown]
# # 4. Is the gradient right?
#
# A wrong gradient rarely crashes. The network just trains badly, and one looks for the reason
# elsewhere. So gradients are checked: against differences of the function itself. This chapter
# shows how good such differences are, and how to read them.

# %%
import matplotlib.pyplot as plt
import numpy as np

import minigrad as mg
from minigrad import testing, viz
from minigrad.primitive import elementwise

# %% [markdown]
# ## Three ways to differentiate by numbers
#
# Taylor's series of $f$ around $x$ gives
#
# $$\frac{f(x+h)-f(x)}{h} = f'(x) + \frac{h}{2} f''(x) + \cdots, \qquad
# \frac{f(x+h)-f(x-h)}{2h} = f'(x) + \frac{h^2}{6} f'''(x) + \cdots$$
#
# The *forward* difference is wrong by about $h$, the *central* one by about $h^2$. Can $h$ be as
# small as we like? No. A float64 has 16 digits; $f(x+h)$ and $f(x-h)$ agree in most of them, and
# these are lost when one subtracts. What is left has an error of about $10^{-16}/h$.
#
# If $f$ also takes complex numbers there is a third way (Squire and Trapp 1998). A step to the
# side, $f(x + ih) = f(x) + ih f'(x) - \frac{h^2}{2} f''(x) - \cdots$, has the derivative in its
# imaginary part:
#
# $$\frac{\operatorname{Im} f(x+ih)}{h} = f'(x) - \frac{h^2}{6} f'''(x) + \cdots$$
#
# Nothing is subtracted, so $h$ may be as small as $10^{-100}$.


# %%
def f(x, lib=np):
    return lib.exp(x) / lib.sqrt(lib.sin(x) ** 3 + lib.cos(x) ** 3)


def f_prime(x):
    """Return the derivative by hand: f (1 - (3 sin² cos - 3 cos² sin) / (2 (sin³ + cos³)))."""
    s, c = np.sin(x), np.cos(x)
    return f(x) * (1 - 3 * (s * s * c - c * c * s) / (2 * (s**3 + c**3)))


x = 1.5
exact = f_prime(x)
by_engine = mg.grad(lambda x: f(x, mg))(mg.tensor(x, dtype=mg.float64)).item()
print(f"by hand {exact:.15f}, by the engine {by_engine:.15f}")

# %%
steps = 10.0 ** np.arange(-1, -17, -0.5)
errors = {
    "forward": [(f(x + h) - f(x)) / h for h in steps],
    "central": [(f(x + h) - f(x - h)) / (2 * h) for h in steps],
    "complex": [f(x + 1j * h).imag / h for h in steps],
    "the engine, without a step": [by_engine] * len(steps),
}
errors = {name: np.abs(np.array(found) / exact - 1) for name, found in errors.items()}
for (name, error), style in zip(errors.items(), ["o-", "s-", "^-", "k:"], strict=True):
    plt.loglog(steps, np.maximum(error, 1e-17), style, ms=3, label=name)
plt.gca().invert_xaxis()
plt.xlabel("step $h$")
plt.ylabel("relative error")
plt.legend()
viz.show(plt.gcf(), "runs/course/04-1.png")

# %% [markdown]
# Read from left to right. At first the errors fall as Taylor says, the central one twice as
# steeply. Then rounding takes over and they rise again. The best that differences can do is about
# $10^{-8}$ with $h \approx 10^{-8}$ (forward), and $10^{-11}$ with $h \approx 10^{-5}$ (central).
# The complex step and the engine reach the last digit. They have no such compromise to make,
# since both carry out the rules of calculus instead of a limit.
#
# ## The check
#
# `testing.gradcheck` compares every element of every gradient with central differences, in
# float64. It is the first thing to do with an operation of one's own. Here is one with a mistake
# in its rule, the kind that is easily made: the derivative of `softsign`, $x/(1+|x|)$, is
# $1/(1+|x|)^2$.

# %%


@elementwise(lambda x: 1 / (1 + mg.abs(x)))  # the square was forgotten
def wrong(xp, x):
    return x / (1 + xp.abs(x))


@elementwise(lambda x: 1 / (1 + mg.abs(x)) ** 2)
def right(xp, x):
    return x / (1 + xp.abs(x))


points = mg.tensor([-2.0, 0.5, 1.0], dtype=mg.float64, requires_grad=True)
print(testing.gradcheck(right, points), testing.gradgradcheck(right, points))
try:
    testing.gradcheck(wrong, points)
    caught = False
except testing.GradcheckError as error:
    caught = True
    print(error)

# %% [markdown]
# It names the element and both numbers. Two things to keep in mind: check in **float64**, for
# float32 has 7 digits and differences lose half of them; and check **off the kinks** of functions
# such as $|x|$, where the two sides of a central difference see two different slopes.
#
# ## What must hold

# %%
assert abs(by_engine / exact - 1) < 1e-14
assert errors["complex"].min() < 1e-15
assert 1e-10 < errors["forward"].min() < 1e-6
assert 1e-13 < errors["central"].min() < 1e-8
assert caught

# %% [markdown]
# ## Exercises
#
# 1. Where are the two errors of the central difference, $h^2 f'''/6$ and $10^{-16} f/h$, equal?
#    Compare with the lowest point of its curve.
# 2. $\frac{4 D(h/2) - D(h)}{3}$, with $D$ the central difference, cancels the term in $h^2$
#    (Richardson). Add it to the picture.
