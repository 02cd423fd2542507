"""Softmax and batch norm: the graph of each, and its Jacobian.

Both couple all entries, so their Jacobians are full: diag(s) - s s^T for softmax, and for batch norm over a column of n
numbers (I - 1/n - y y^T / n) / sigma.
"""

import numpy as np

from diffrt.autograd import batch_norm, jacobian, named, softmax, variable
from diffrt.explaining import dot_of, forward_text, graph_of

x = np.array([0.2, 1.1, -0.4])

s = softmax(x)
J = jacobian(softmax)(x)
print("softmax, step by step\n" + forward_text(graph_of(named(softmax(variable(x, "x")), "s"))))
print("\nJacobian\n", J, "\nequal to diag(s) - s s^T:", np.allclose(J, np.diag(s) - np.outer(s, s)))

column = x[:, None]
y = batch_norm(column, epsilon=0.0)[:, 0]
J = jacobian(lambda v: batch_norm(v[:, None], epsilon=0.0)[:, 0])(x)
n, sigma = len(x), column.std()
by_hand = (np.eye(n) - 1.0 / n - np.outer(y, y) / n) / sigma
graph = graph_of(named(batch_norm(variable(column, "x"), epsilon=0.0), "y"))
print("\nbatch norm, step by step\n" + forward_text(graph))
print("\nJacobian\n", J, "\nequal to (I - 1/n - y y^T / n) / sigma:", np.allclose(J, by_hand))
print("\n" + dot_of(graph))
