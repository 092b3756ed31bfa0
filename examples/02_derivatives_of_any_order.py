"""Taylor's series of the tangent, by differentiating a derivative, again and again.

tan x = x + 2x³/3! + 16x⁵/5! + 272x⁷/7! + …: its derivatives at 0 are the tangent numbers, which
count the alternating permutations of an odd number of things.
"""

import math

import minigrad as mg

ORDER = 9

f = mg.tan
zero = mg.tensor(0.0, dtype=mg.float64)
derivatives = []
for order in range(ORDER + 1):
    derivatives.append(f(zero).item())
    print(f"derivative {order} of tan at 0: {derivatives[-1]:g}")
    f = mg.grad(f)  # a gradient is a function, and so it has a gradient

x = 0.3
series = sum(d * x**n / math.factorial(n) for n, d in enumerate(derivatives))
print(f"the series at {x}: {series:.7f}; tan {x} is {math.tan(x):.7f}")

assert derivatives == [0, 1, 0, 2, 0, 16, 0, 272, 0, 7936]
assert abs(series - math.tan(x)) < 1e-6
