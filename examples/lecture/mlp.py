"""A simple MLP, out = tanh(W1 x + b1), unravelled into operations, forward and then backward, step by step.

The input x is a constant: nobody wants its gradient, so the backward pass leaves it alone.
"""

import numpy as np

from diffrt.autograd import matmul, named, tanh, variable
from diffrt.explaining import backward_text, dot_of, forward_text, graph_of

rng = np.random.default_rng(0)
x = variable(rng.normal(size=3), "x").detach()
W1, b1 = variable(rng.normal(size=(2, 3)), "W1"), variable(rng.normal(size=2), "b1")

product = named(matmul(W1, x), "W1 x")
out = named(tanh(named(product + b1, "z")), "out")
loss = named((out * out).sum(), "loss")

graph = graph_of(loss)
print("forward\n" + forward_text(graph))
print("\nbackward\n" + backward_text(graph))
print("\n" + dot_of(graph))
