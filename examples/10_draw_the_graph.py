"""What is recorded when a network computes its loss, written to graph.dot and, if possible, SVG."""

from pathlib import Path

import minigrad as mg
from minigrad import nn, viz

mg.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
x, y = mg.randn(16, 4), mg.tensor([i % 3 for i in range(16)])
loss = nn.CrossEntropyLoss()(model(x), y)
loss.name = "loss"

# Draw before backward(): the sweep frees the graph as it goes.
graph = viz.graph(loss, params=model)
print(graph)
for vertex in graph.vertices:
    print(f"  {vertex.kind:9} {vertex.name:15} {vertex.shape}")
print("wrote", graph.save("graph.dot"))
try:
    print("wrote", graph.save("graph.svg"))
except viz.RenderError as error:  # a picture needs a program that draws it; the text does not
    print(error)

text = Path("graph.dot").read_text("utf-8")
kinds = [vertex.kind for vertex in graph.vertices]

assert kinds.count("parameter") == 4
assert text.count("->") == len(graph.edges)
