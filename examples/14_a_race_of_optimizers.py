"""A race: what the same budget buys for each method, on three surfaces that ask for three things.

Every method has the same start, the same grid of learning rates, and the same clock, which counts
evaluations of f; a product with its Hessian counts as two. In a ravine curvature decides, and
Newton's method needs one step. In a bent valley too, only who knows the curvature, or learns it
from gradients as L-BFGS does, arrives in time. Among many minima it does not help: who goes down
ends in a hole near by.

To draw a race, with Matplotlib: race.save("race.png"), race.animate("race.gif").
"""

from minigrad import viz

METHODS = ["sgd", "momentum", "adam", "lbfgs", "newton"]

races = {}
for surface in ("ravine", "rosenbrock", "rastrigin"):
    races[surface] = race = viz.race(surface, METHODS, budget=150)
    print(f"{surface}: f = {race.surface.formula}, from {race.start}")
    print(race.table(), end="\n\n")
print(race.caption)

ravine, valley, holes = (race.runs for race in races.values())
arrived = {name for name, run in valley.items() if run.arrived}
nearest = min(run.values[-1] for run in holes.values())

assert ravine["newton"].steps == 1
assert arrived == {"lbfgs", "newton"}
assert nearest > 0.5  # the minimum is 0
