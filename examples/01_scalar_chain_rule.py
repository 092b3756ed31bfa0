"""The chain rule on one number: what you would write by hand, and what backward() does."""

import math

import minigrad as mg

# y = sin(x²)·e⁻ˣ at x = 1.5, a step at a time.
x = mg.tensor(1.5, requires_grad=True, dtype=mg.float64)
square = x * x
sine = mg.sin(square)
decay = mg.exp(-x)
y = sine * decay

# By hand: from the result back to x, each step multiplies by its own derivative, and where two
# paths meet their contributions add up.
dy_dsine = decay.item()
dy_ddecay = sine.item()
dsine_dsquare = math.cos(square.item())
dsquare_dx = 2 * x.item()
ddecay_dx = -decay.item()
by_hand = dy_dsine * dsine_dsquare * dsquare_dx + dy_ddecay * ddecay_dx

# By the engine: the same walk over the graph that was recorded above.
y.backward()

# And by the definition of a derivative, as far as rounding lets it.
f = lambda v: math.sin(v * v) * math.exp(-v)  # noqa: E731
difference = (f(1.5 + 1e-6) - f(1.5 - 1e-6)) / 2e-6

print(f"by hand      {by_hand:.12f}")
print(f"backward()   {x.grad.item():.12f}")
print(f"difference   {difference:.12f}")

assert math.isclose(x.grad.item(), by_hand, rel_tol=1e-15)
assert math.isclose(x.grad.item(), difference, rel_tol=1e-8)
