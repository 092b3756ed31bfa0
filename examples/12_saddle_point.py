"""A saddle: gradient descent stops beside it, Newton's method in it, saddle-free Newton leaves.

f(x, y) = x² − y² + y⁴/4 is flat at the origin, highest along y and lowest along x; its minima, -1,
are at (0, ±√2). From (1, 10⁻⁹) the gradient leads to the origin first. Gradient descent then needs
hundreds of steps for the 10⁻⁹ to grow; Newton's step goes to where the gradient is 0, which is the
saddle; with the absolute values of the Hessian's eigenvalues the same step goes away from it. The
picture in docs/ is drawn from these paths by docs/saddle_point.py.
"""

import minigrad as mg
from minigrad import optim

START = [1.0, 1e-9]
METHODS = {
    "gradient descent": lambda p: optim.SGD(p, lr=0.02),
    "Newton": lambda p: optim.Newton(p, line_search="fixed", indefinite="none"),
    "saddle-free Newton": lambda p: optim.SaddleFreeNewton(p),
}


def f(p):
    """Return x² − y² + y⁴/4."""
    x, y = p
    return x**2 - y**2 + y**4 / 4


def path(method, steps):
    """Return the points of a method's path, one for each step."""
    p = mg.tensor(START, dtype="float64", requires_grad=True)
    optimizer = method([p])
    points = [p.tolist()]
    for _ in range(steps):
        optimizer.step(lambda: f(p))
        points.append(p.tolist())
    return points


ends = {}
for name, method in METHODS.items():
    points = path(method, 200)
    ends[name] = x, y = points[-1]
    left = next((t for t, point in enumerate(points) if f(point) < -0.5), "not")
    print(f"{name:>18}: at ({x: .4f}, {y:.2g}), f = {f([x, y]):.4f}; left the saddle: {left}")

assert abs(f(ends["gradient descent"])) < 1e-3
assert max(map(abs, ends["Newton"])) < 1e-12
assert abs(f(ends["saddle-free Newton"]) + 1) < 1e-9
