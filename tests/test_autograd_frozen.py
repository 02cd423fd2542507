"""What a graph holds cannot change: arrays that the user edits later, copies, pickles, and results edited in place."""

import copy
import pickle

import numpy as np
import pytest

import diffrt.autograd as ag
from diffrt.autograd import variable
from diffrt.autograd.variable import TABLE, freeze


def written(array, value):
    """The array with every entry overwritten, whatever it is."""
    array[...] = value


INTEGERS = np.array([2, 0, 2])
USES = {
    # How an array reaches the graph, what the array holds, and with what it is overwritten.
    "x[i]": (lambda x, i: x[i], INTEGERS, 1),
    "x[i, :]": (lambda x, i: x[i, :], INTEGERS, 1),
    "x[:, i]": (lambda x, i: x[:, i], INTEGERS, 1),
    "x[..., i, None]": (lambda x, i: x[..., i, None], INTEGERS, 1),
    "x[i, i]": (lambda x, i: x[i, i], INTEGERS, 1),
    "x[mask]": (lambda x, i: x[i], np.array([True, False, True]), False),
    "x[a number]": (lambda x, i: x[i], np.array(2), 0),
    "x[a slice from it]": (lambda x, i: x[i:], np.array(1), 0),
    "index": (lambda x, i: ag.index(x, i), INTEGERS, 1),
    "take": (lambda x, i: ag.take(x, i), INTEGERS, 1),
    "np.take": (lambda x, i: np.take(x, i, axis=1), INTEGERS, 1),
    "scatter_add": (lambda x, i: ag.scatter_add(x, i, 4), INTEGERS, 1),
    "add_at": (lambda x, i: ag.add_at(np.zeros((3, 4)), i, x), INTEGERS, 1),
    "add_at's base": (lambda x, b: ag.add_at(b, INTEGERS, x) ** 2, np.ones((3, 4)), 9.0),
    "where": (lambda x, c: ag.where(c, x, -x), np.array([True, False, True]), False),
    "np.where by numbers": (lambda x, c: np.where(c, x, -x), np.array([1.0, 0.0, 2.0]), 0.0),
    "x * c": (lambda x, c: x * c, np.array([1.0, 2.0, 3.0]), 9.0),
    "c ** x": (lambda x, c: c**x, np.array([1.0, 2.0, 3.0]), 9.0),
    "c / x of float32": (lambda x, c: c / x, np.array([1.0, 2.0, 3.0], np.float32), 9.0),
    "integers ** x": (lambda x, c: c**x, np.array([1, 2, 3]), 9),
    "maximum": (lambda x, c: ag.maximum(x, c), np.array([0.1, 2.0, 3.0]), 9.0),
    "c @ x": (lambda x, c: c @ x, np.array([1.0, 2.0, 3.0]), 9.0),
    "stack": (lambda x, c: ag.stack([x, ag.broadcast_to(c, (3, 3))]) * ag.stack([c, c])[:, None], np.ones(3), 9.0),
    "concatenate": (lambda x, c: ag.concatenate([x, c[None]]) ** 2, np.ones(3), 9.0),
    "root": (lambda x, c: ag.root(lambda r, p: r * r - p * p, c, x[0]), np.array([0.5, 1.0, 1.5]), 9.0),
    "clip": (lambda x, c: ag.clip(x, c, 2.0), np.array([0.0, 1.0, 1.6]), 9.0),
    "batch_norm": (lambda x, c: ag.batch_norm(x, epsilon=c), np.array([0.1, 0.2, 0.3]), 9.0),
}  # fmt: skip
VALUES = np.array([[0.5, 1.0, 1.5], [0.7, 0.9, 1.3], [0.6, 1.1, 1.7]])

GIVEN = {
    "itself": lambda array: (array, array),
    "a view": lambda array: (whole := np.array([array, array]), whole[0])[::-1],
    "a view that is read-only": lambda array: (_locked(array.view()), array),
    "a broadcast": lambda array: (np.broadcast_to(array, array.shape), array),
    "windows": lambda array: (np.lib.stride_tricks.as_strided(array, writeable=False), array),
    "a buffer": lambda array: _of_a_buffer(array),
}


def _locked(array):
    array.flags.writeable = False
    return array


def _of_a_buffer(array):
    memory = bytearray(array.tobytes())
    view = np.frombuffer(memory, array.dtype).reshape(array.shape)
    return _locked(view), np.frombuffer(memory, array.dtype)


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("given", GIVEN)
def test_an_array_that_is_edited_after_its_use_changes_the_derivative(use, given):
    f, original, overwritten = USES[use]
    weights = np.random.default_rng(1)
    x = variable(VALUES)
    out = f(x, original.copy())
    seed = weights.normal(size=out.shape)
    out.backward(seed if out.shape else float(seed))
    expected, x.grad = x.grad, None
    array, handle = GIVEN[given](original.copy())
    again = f(x, array)
    written(handle, overwritten)
    again.backward(seed if out.shape else float(seed))
    assert np.array_equal(x.grad, expected)
    x.grad = None
    tangent = ag.jvp(lambda v: f(v, original.copy()), (VALUES,), (np.ones((3, 3)),))[1]
    assert np.sum(expected) == pytest.approx(np.sum(tangent * seed), rel=1e-12)


def test_an_index_that_a_loop_overwrites_gathers_all_derivatives_at_the_last_entry():
    x = variable([1.0, 2.0, 3.0])
    i, rows, total = np.zeros(1, int), [0], 0.0
    for k in range(3):
        i[0] = rows[0] = k
        total = total + ag.sum(x[i]) * (k + 1.0) + ag.sum(x[rows]) + ag.sum(ag.take(x, rows))
    total.backward()
    assert x.grad.tolist() == [3.0, 4.0, 5.0]


@pytest.mark.parametrize("index", [[2, 0], ([0, 1], [1, 1]), (slice(None), [0, 0]), [[0, 1], [2, 2]], (..., [1]), [],
                                   [True, False, True], memoryview(bytearray([1, 2])), range(2)])  # fmt: skip
def test_an_index_of_lists_is_read_as_numpy_reads_it_and_may_change_later(index):
    x = variable(VALUES)
    expected = VALUES[index]
    place = np.zeros((3, 3))
    np.add.at(place, index, 2.0 * expected)
    mine = copy.deepcopy(index) if isinstance(index, list | tuple) else index
    out = ag.sum(x[mine] * x[mine])
    for part in mine if isinstance(mine, tuple) else (mine,):
        if isinstance(part, list):
            part[:] = [1] * len(part)
        if isinstance(part, memoryview):
            part[0] = 0
    out.backward()
    if expected.size:
        assert x.grad.tolist() == place.tolist()


def test_a_descent_in_place_stops_at_its_first_step_because_its_array_is_read_only():
    x = np.array([3.0, -2.0])
    for _ in range(60):
        slope = ag.grad(lambda v: ag.sum(v * v))(x)
        slope *= 0.25
        x -= slope
    assert np.abs(x).max() < 1e-15
    factor = np.ones(2)
    ag.grad(lambda v: ag.sum(v * factor))(x)
    factor += 1.0


def test_two_derivatives_share_one_array():
    a, b = np.ones(3), np.ones(3)
    for by_a, by_b in (
        ag.grad(lambda a, b: ag.sum((a + b) ** 2), (0, 1))(a, b),
        ag.vjp(lambda a, b: a + b, a, b)[1](np.ones(3)),
        ag.jvp(lambda a: (a, a + 0.0), (a,), (b,))[1],
    ):
        before = by_b.copy()
        by_a *= 2.0
        assert np.array_equal(by_b, before)
    seed = np.ones(3)
    same = ag.vjp(lambda a: a, a)[1](seed)[0]
    seed[0] = 7.0
    assert same.tolist() == [1.0, 1.0, 1.0]


def test_a_seed_or_an_argument_that_is_edited_later_changes_a_recorded_sweep():
    y = variable(2.0)
    x, seed, tangent = np.array([1.0, 3.0]), np.ones(2), np.ones(2)
    value, pullback = ag.vjp(lambda x: x * x * y, x)
    x[0] = 100.0
    slope = pullback(seed)[0]
    moved = ag.jvp(lambda x: x * y, (seed,), (tangent,))[1]
    seed[:], tangent[:] = 50.0, 50.0
    (ag.sum(slope) + ag.sum(moved)).backward()
    assert value.value.tolist() == [2.0, 18.0]
    assert y.grad == 2.0 * 1.0 + 2.0 * 3.0 + 2.0


def test_a_variable_made_of_an_array_keeps_it_by_reference():
    for make in (ag.variable, ag.Var):
        data = np.ones(2)
        x = make(data)
        data[0] = 5.0
        assert x.value.tolist() == [1.0, 1.0]
        with pytest.raises(ValueError, match="read-only"):
            x.value[0] = 2.0


def test_an_array_that_nobody_can_write_to_is_copied():
    x = variable(VALUES)
    mine = freeze(np.arange(3))
    assert freeze(mine) is mine
    assert freeze(mine[1:]).base is mine
    assert x[mine].settings["index"] is mine
    assert (x * x.value).inputs[1] is x.value


def test_masked_entries_become_numbers():
    with pytest.raises(TypeError, match="mask would be lost"):
        variable(np.ma.masked_array([1.0, 2.0], [False, True]))
    with pytest.raises(TypeError, match="mask would be lost"):
        ag.multiply(variable([1.0, 2.0]), np.ma.masked_array([1.0, 2.0], [False, True]))


def test_what_checkpoint_computes_again_has_changed_meanwhile():
    scale = np.array([1.0, 2.0])
    f = ag.checkpoint(lambda x, k: ag.sum(x * x * scale) * k)
    assert ag.grad(lambda x: f(x, k=3.0))(np.ones(2)).tolist() == [6.0, 12.0]
    x = variable(np.ones(2))
    out = f(x, k=3.0)
    scale[0] = 5.0
    with pytest.raises(ValueError, match="gives another value than before"):
        out.backward()
    assert x.grad is None


COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{f"pickle {p}": (lambda x, p=p: pickle.loads(pickle.dumps(x, p))) for p in range(pickle.HIGHEST_PROTOCOL + 1)},
}


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_of_a_leaf_takes_the_derivative_of_the_original(how):
    x = variable(2.0, "x")
    c = COPIES[how](x)
    assert c is not x and c.is_leaf and c.tracked and (c.value, c.name) == (2.0, "x")
    (x * c * c).backward()
    assert (x.grad, c.grad) == (4.0, 8.0)
    assert COPIES[how](c).grad == 8.0
    constant = COPIES[how](x.detach())
    assert not constant.tracked
    z = COPIES[how](variable([1.0, 2.0]))
    with pytest.raises(ValueError, match="read-only"):
        z.value[0] = 5.0
    (ag.sum(z * z) * x).backward()
    with pytest.raises(ValueError, match="read-only"):
        COPIES[how](z).grad[0] = 1.0


def test_a_copy_of_what_an_op_made_is_another_computation():
    x = variable(2.0)
    y = x * x
    (copy.copy(y) + y).backward()
    assert x.grad == 8.0


@pytest.mark.parametrize("how", ["deepcopy", *(f"pickle {p}" for p in range(pickle.HIGHEST_PROTOCOL + 1))])
def test_a_copied_graph_is_joined_to_the_old_one_or_torn_apart(how):
    x, w = variable([1.0, 2.0], "x"), variable(3.0, "w")
    i, mask = np.array([1, 0, 1]), np.array([True, False, True])
    y = ag.sum(ag.where(mask, x[i] * w, 0.0) * np.array([1.0, 2.0, 3.0]))
    w2, y2, x2, again = COPIES[how]((w, y, x, y))
    assert again is y2 and y2.value == y.value and y2.op is TABLE["sum"]
    y2.backward()
    assert (x.grad, w.grad) == (None, None)
    assert (x2.grad.tolist(), w2.grad) == ([0.0, 12.0], 8.0)
    for node in ag_nodes(y2):
        for held in (node.value, *node.inputs, *(node.settings or {}).values()):
            assert not isinstance(held, np.ndarray) or not held.flags.writeable


def ag_nodes(out):
    from diffrt.autograd.backward import reachable

    return reachable([out])


@pytest.mark.parametrize("how", ["copy", "deepcopy", "pickle 5"])
def test_a_deep_graph_cannot_be_copied_for_recursion(how):
    x = variable(1.0)
    y = x
    for _ in range(100_000):
        y = y * 1.00001
    x2, y2 = COPIES[how]((x, y))
    y2.backward()
    expected = pytest.approx(1.00001**100_000, rel=1e-10)
    assert (x.grad if how == "copy" else x2.grad) == expected
    del y, y2


@pytest.mark.parametrize("how", ["copy", "deepcopy"])
def test_a_copy_inside_a_function_loses_its_derivative(how):
    f = lambda x: COPIES[how](x) * COPIES[how](x * x)  # noqa: E731
    assert ag.grad(f)(2.0) == 12.0
    assert ag.jvp(f, (2.0,), (1.0,))[1] == 12.0
    assert ag.grad(ag.grad(f))(2.0) == 12.0
    assert ag.grad(ag.checkpoint(f))(2.0) == 12.0
    assert ag.grad(lambda p: f(copy.deepcopy(p)["a"][0]))({"a": [2.0]}) == {"a": [12.0]}


def test_a_pickle_that_would_lose_a_derivative_is_made():
    with pytest.raises(TypeError, match=r"'argument of a transform' made cannot be pickled.*detach"):
        ag.grad(lambda x: pickle.loads(pickle.dumps(x)) * x)(2.0)
    with pytest.raises(TypeError, match=r"op 'checkpoint\(<lambda>\)' made cannot be pickled"):
        pickle.dumps(ag.checkpoint(lambda x: x * x)(variable(2.0)))
    y = variable(2.0)
    slope = ag.grad(lambda y: y * y * variable(3.0))(y)
    y, slope = pickle.loads(pickle.dumps((y, slope)))
    slope.backward()
    assert (slope.value, y.grad) == (12.0, 6.0)
