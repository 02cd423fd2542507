"""What one op costs: diffrt beside HIPS autograd and PyTorch, in one run on one machine.

    pip install '.[bench]' && python benchmarks/bench_autograd.py

Scalars: a chain of 4,000 mixed ops on one number, forward and reverse, in microseconds per op. Arrays: a chain of
400 ops on 100 numbers, forward and reverse, minus what plain numpy takes for the same forward chain and a
multiplication per op for the reverse one. Medians of 9 runs, taken in turns.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np

RUNS = 9


def chain(x, sin, exp, rounds):
    """Eight ops a round: + - * / with constants and itself, sin, exp, and a product of two branches."""
    y = x
    for _ in range(rounds):
        y = sin(y * 1.01 + x) * exp(y * -0.3) - y / 3.0
    return y


OPS = 8


def diffrt_run(value, rounds):
    import diffrt.autograd as ag

    x = ag.variable(value)
    y = chain(x, ag.sin, ag.exp, rounds)
    y.backward() if not y.shape else y.backward(np.ones(y.shape))
    return x.grad


def hips_run(value, rounds):
    import autograd
    import autograd.numpy as anp

    def total(x):
        y = chain(x, anp.sin, anp.exp, rounds)
        return anp.sum(y) if np.ndim(value) else y

    return autograd.grad(total)(value)


def torch_run(value, rounds):
    import torch

    x = torch.tensor(value, dtype=torch.float64, requires_grad=True)
    y = chain(x, torch.sin, torch.exp, rounds)
    y.sum().backward()
    return x.grad.numpy()


def numpy_run(value, rounds):
    y = chain(value, np.sin, np.exp, rounds)
    g = np.ones_like(value)
    for _ in range(rounds * OPS):
        g = g * value
    return y, g


def main() -> None:
    peers: dict[str, Callable] = {"diffrt": diffrt_run}
    for name, module, run in (("HIPS autograd", "autograd", hips_run), ("PyTorch", "torch", torch_run)):
        try:
            __import__(module)
            peers[name] = run
        except ImportError:
            print(f"{name} is not installed: left out")
    for title, value, rounds in (("scalar", 0.4, 500), ("array of 100", np.linspace(0.1, 0.9, 100), 50)):
        contestants = {**peers, **({"numpy": numpy_run} if np.ndim(value) else {})}
        truth = diffrt_run(value, rounds)
        for name, run in peers.items():
            assert np.allclose(run(value, rounds), truth, rtol=1e-10), name
        seconds: dict[str, list[float]] = {name: [] for name in contestants}
        for _ in range(RUNS):
            for name, run in contestants.items():
                begin = time.perf_counter()
                run(value, rounds)
                seconds[name].append(time.perf_counter() - begin)
        cost = {name: 1e6 * statistics.median(s) / (rounds * OPS) for name, s in seconds.items()}
        base = cost.pop("numpy", 0.0)
        print(f"\n{title}, forward and reverse, microseconds per op" + (f" over numpy's {base:.2f}" if base else ""))
        for name, each in cost.items():
            print(f"  {name:<14} {each - base:7.2f}   {(each - base) / (cost['diffrt'] - base):5.1f} times diffrt")


if __name__ == "__main__":
    main()
