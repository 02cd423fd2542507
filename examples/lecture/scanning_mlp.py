"""A scanning MLP: one small network slides over several positions, so its parameters are shared leaves.

Each position adds its part to the gradients of W and b: += position by position.
"""

import numpy as np

from diffrt.autograd import matmul, named, scope, tanh, variable
from diffrt.autograd.naming import watch_scopes
from diffrt.explaining import backward_text, dot_of, graph_of

rng = np.random.default_rng(1)
signal = rng.normal(size=6)
W, b = variable(rng.normal(size=(2, 3)), "W"), variable(rng.normal(size=2), "b")
v = variable(rng.normal(size=2), "v")

with watch_scopes() as scopes:
    total = 0.0
    for position in range(4):
        with scope(f"position {position}"):
            window = signal[position : position + 3]
            h = named(tanh(matmul(W, window) + b), f"h{position}")
            total = named(total + matmul(v, h), f"sum{position}")

graph = graph_of(total, scopes)
print("backward\n" + backward_text(graph))

# The same, position by position: what each adds to the gradient of W.
so_far = np.zeros((2, 3))
for position in range(4):
    h = graph[f"h{position}"]
    gradient = graph.gradient(h) * (1.0 - np.square(h.value))
    so_far = so_far + np.outer(gradient, signal[position : position + 3])
    print(f"\nafter position {position} grad W +=\n{so_far}")
print("\nequal to the gradient:", np.allclose(so_far, graph.gradient(graph["W"])))
print("\n" + dot_of(graph))
