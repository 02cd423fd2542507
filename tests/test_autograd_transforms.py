"""What grad, value_and_grad, vjp, jvp, jacobian, hessian and hvp take, give back and refuse."""

from collections import namedtuple

import numpy as np
import pytest

import diffrt.autograd as ag

Weights = namedtuple("Weights", "matrix offset")

TREE = {
    "layers": [Weights(np.array([[1.0, 2.0], [3.0, 4.0]]), 0.5), (np.array([1.0, -0.5]), [2.0])],
    "none": None,
    "empty": [],
}


def model(p, x, power=2):
    first, (row, (scale,)) = p["layers"]
    return ag.sum((first.matrix @ x + first.offset) * row) ** power * scale


def by_hand(x):
    row = TREE["layers"][1][0]
    hidden = TREE["layers"][0].matrix @ x + 0.5
    inner = float(hidden @ row)
    outer = 2.0 * inner * 2.0
    weights = Weights(outer * np.outer(row, x), float(outer * np.sum(row)))
    return {"layers": [weights, (outer * hidden, [inner**2])], "none": None, "empty": []}


def same(found, expected):
    assert type(found) is type(expected)
    if isinstance(found, dict):
        assert list(found) == list(expected)
        found, expected = list(found.values()), list(expected.values())
    if isinstance(found, list | tuple):
        assert len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            same(a, b)
    elif found is not None:
        assert np.shape(found) == np.shape(expected) and found == pytest.approx(expected, rel=1e-13)


def test_a_tree_of_arguments_has_a_tree_of_derivatives():
    x = np.array([0.5, 2.0])
    expected = by_hand(x)
    same(ag.grad(model)(TREE, x), expected)
    value, (by_tree, by_x) = ag.value_and_grad(model, (0, 1))(TREE, x, power=2)
    assert value == model(TREE, x)
    same(by_tree, expected)
    value, pullback = ag.vjp(model, TREE, x, power=2)
    same(pullback(1.0), (expected, by_x))
    ones = {"layers": [Weights(np.ones((2, 2)), 1.0), (np.ones(2), [1.0])], "none": None, "empty": []}
    total = sum(np.sum(part) for part in (*expected["layers"][0], *expected["layers"][1]))
    assert ag.jvp(model, (TREE, x), (ones, None))[1] == pytest.approx(total, rel=1e-13)
    half = {"layers": [None, (np.ones(2), None)], "none": None, "empty": []}
    assert ag.jvp(model, (TREE, x), (half, None))[1] == pytest.approx(np.sum(expected["layers"][1][0]), rel=1e-13)
    assert ag.jvp(model, (TREE, x), (None, None))[1] == 0.0


def test_a_result_may_be_a_tree_in_vjp_and_jvp():
    f = lambda x, y: {"sum": x + y, "parts": (x * y, [x, 3.0])}  # noqa: E731
    value, pullback = ag.vjp(f, 2.0, np.array([1.0, 5.0]))
    same(value, {"sum": np.array([3.0, 7.0]), "parts": (np.array([2.0, 10.0]), [2.0, 3.0])})
    by_x, by_y = pullback({"sum": None, "parts": (np.array([1.0, 10.0]), [100.0, 5.0])})
    assert by_x == 151.0 and by_y.tolist() == [2.0, 20.0]
    value, tangent = ag.jvp(f, (2.0, np.array([1.0, 5.0])), (1.0, None))
    same(tangent, {"sum": np.array([1.0, 1.0]), "parts": (np.array([1.0, 5.0]), [1.0, 0.0])})
    same(ag.vjp(lambda x: (x, x), 2.0)[1]((1.0, 10.0)), (11.0,))


def test_derivatives_of_trees_can_be_differentiated_again():
    f = lambda p: p["a"] ** 3 * ag.sum(p["b"][0])  # noqa: E731
    at, v = {"a": 2.0, "b": [np.array([1.0, 3.0])]}, {"a": 1.0, "b": [np.array([1.0, 0.0])]}
    same(ag.hvp(f, at, v), {"a": 6 * 2.0 * 4.0 + 3 * 4.0, "b": [np.array([12.0, 12.0])]})
    outer = ag.grad(lambda s: ag.grad(f)({"a": s, "b": [np.array([1.0, 3.0])]})["a"])
    assert outer(2.0) == 6 * 2.0 * 4.0
    assert ag.grad(lambda s: s * ag.grad(lambda p: p[0] * p[1] * s)((3.0, s))[0])(2.0) == 12.0  # d(s^3)/ds


def test_keywords_reach_the_function():
    f = lambda x, k=1: x**k  # noqa: E731
    assert ag.grad(f)(3.0, k=2) == 6.0
    assert ag.value_and_grad(f)(3.0, k=2) == (9.0, 6.0)
    assert ag.jacobian(f)(3.0, k=2) == 6.0
    assert ag.hessian(f)(3.0, k=3) == 18.0
    assert ag.vjp(f, 3.0, k=2)[1](1.0) == (6.0,)
    assert ag.grad(lambda k: ag.grad(f)(3.0, k=k))(2.0) == pytest.approx(3.0 + 6.0 * np.log(3.0), rel=1e-14)


def test_the_last_argument_is_number_minus_1():
    f = lambda x, y, z: x * y**2 * z**3  # noqa: E731
    assert ag.grad(f, -1)(2.0, 3.0, 1.0) == 54.0
    assert ag.grad(f, (0, -2))(2.0, 3.0, 1.0) == (9.0, 12.0)
    assert ag.grad(f, [np.int64(0), 0])(2.0, 3.0, 1.0) == (9.0, 9.0)
    assert ag.jacobian(f, -1)(2.0, 3.0, 1.0) == 54.0
    assert ag.hessian(f, -1)(2.0, 3.0, 1.0) == 108.0
    assert ag.vjp(f, 2.0, 3.0, 1.0, argnums=[-1])[1](1.0) == (54.0,)


@pytest.mark.parametrize("make", [ag.grad, ag.value_and_grad, ag.jacobian, ag.hessian,
                                  lambda f, n: lambda *args: ag.vjp(f, *args, argnums=[n])])  # fmt: skip
def test_an_argument_that_is_not_there(make):
    f = lambda *x: x[0] * 2.0  # noqa: E731
    with pytest.raises(ValueError, match=r"^argument 1 is to be .* but the call has 1 positional argument, .* 0 to 0$"):
        make(f, 1)(1.0)
    with pytest.raises(ValueError, match=r"argument -3 .* 2 positional arguments, numbered from 0 to 1"):
        make(f, -3)(1.0, 2.0)
    with pytest.raises(ValueError, match=r"0 positional arguments$"):
        make(lambda x=1.0: x, 0)()
    for bad in (None, 0.5, True, "x"):
        with pytest.raises(ValueError, match="is no number of an argument; needed: 0 for the first"):
            make(f, bad)(1.0)


def test_what_is_no_number_is_refused_with_its_place():
    f = lambda *x: 1.0  # noqa: E731
    with pytest.raises(TypeError, match=r"argument 1\['w'\]\[0\]: .* but was given str"):
        ag.grad(f, (0, 1))(1.0, {"w": ["text"]})
    with pytest.raises(ValueError, match="argument 0 is None"):
        ag.grad(f)(None)
    loop = []
    loop.append(loop)
    with pytest.raises(ValueError, match="argument 0 has more than 100 tuples, lists and dicts in each other"):
        ag.grad(f)(loop)
    with pytest.raises(ValueError, match="the result has more than 100 tuples, lists and dicts in each other"):
        ag.vjp(lambda x: loop, 1.0)
    with pytest.raises(ValueError, match=r"scalar result, but it is a dict"):
        ag.grad(lambda x: {"a": x})(1.0)
    with pytest.raises(TypeError, match=r"the result: .* was given NoneType"):
        ag.grad(lambda x: None)(1.0)
    with pytest.raises(ValueError, match="jacobian takes one array as argument 0, given a dict"):
        ag.jacobian(lambda x: x["a"])({"a": 1.0})
    with pytest.raises(ValueError, match="jacobian takes one array as argument 0, given a tuple"):
        ag.jacobian(lambda x: x[0])((np.ones(2),))
    with pytest.raises(ValueError, match="result is a dict of 'a', but one array is needed"):
        ag.jacobian(lambda x: {"a": x})(1.0)


def test_tangents_and_seeds_of_another_form_are_refused():
    f = lambda p: p["a"] * ag.sum(p["b"][0])  # noqa: E731
    at = {"a": 2.0, "b": [np.ones(2)]}
    for tangent, message in (
        ({"a": 1.0}, r"tangent 0 is a dict of 'a', but argument 0 is a dict of 'a', 'b'; their forms must agree"),
        (
            {"a": 1.0, "b": np.ones(2)},
            r"tangent 0\['b'\] is a number or an array, but argument 0\['b'\] is a list of 1",
        ),
        ({"a": 1.0, "b": [np.ones(3)]}, r"tangent 0\['b'\]\[0\] has shape \(3,\), but argument 0.* has shape \(2,\)"),
    ):
        with pytest.raises(ValueError, match=message):
            ag.jvp(f, (at,), (tangent,))
    with pytest.raises(ValueError, match="2 arguments and 1 tangents"):
        ag.jvp(lambda x, y: x, (1.0, 2.0), (1.0,))
    with pytest.raises(ValueError, match=r"jvp takes args as a tuple .* jvp\(f, \(x,\), \(v,\)\)"):
        ag.jvp(lambda x: x, np.ones(2), np.ones(2))
    with pytest.raises(ValueError, match="the seed is a number or an array, but the result is a tuple of 2"):
        ag.vjp(lambda x: (x, x), 1.0)[1](1.0)


def test_the_mean_of_nothing_is_a_division_by_zero():
    nothing = np.zeros((0, 3))
    for mean in (ag.mean, np.mean, lambda x, axis=None: x.mean(axis)):
        with pytest.raises(ValueError, match=r"mean of nothing: an array of shape \(0, 3\) has no entries; give it"):
            mean(ag.variable(nothing))
        with pytest.raises(ValueError, match="no entries along axis 0"):
            mean(ag.variable(nothing), 0)
        assert mean(ag.variable(nothing), 1).shape == (0,)
        assert mean(ag.variable(np.ones((2, 3))), (0, -1)).value == 1.0
    for function, name in ((ag.max, "max"), (ag.min, "min"), (np.max, "max")):
        with pytest.raises(ValueError, match=rf"{name} of nothing: an array of shape \(0, 3\)"):
            function(ag.variable(nothing))
        assert function(ag.variable(nothing), 1).shape == (0,)
    for function in (ag.softmax, ag.log_softmax):
        with pytest.raises(ValueError, match=r"softmax of nothing: .* along axis 0"):
            function(ag.variable(nothing), 0)
        with pytest.raises(ValueError, match="softmax of a scalar"):
            function(ag.variable(1.0))
        with pytest.raises(ValueError, match="axis 5 is out of bounds"):
            function(ag.variable(np.ones(3)), 5)
    with pytest.raises(ValueError, match="mean of nothing"):
        ag.batch_norm(np.zeros((0, 2)))
    assert ag.grad(lambda x: ag.sum(x) + ag.norm(x))(np.zeros(0)).shape == (0,)
    assert ag.jacobian(lambda x: x * 2.0)(np.zeros(0)).shape == (0, 0)


def test_an_integer_beyond_floats_is_refused():
    with pytest.raises(ValueError, match=r"beyond 1\.8e308"):
        ag.variable(10**400)


def test_a_tree_that_is_changed_before_the_sweep_has_other_derivatives():
    p, result = [2.0, {"a": 3.0}], []

    def f(p):
        result[:] = [p[0] * p[1]["a"], p[0]]
        p.append(7.0)
        return result

    value, pullback = ag.vjp(f, p)
    seed = [1.0, 10.0]
    p.append(5.0)
    p[1]["b"] = 1.0
    result.clear()
    assert value == [6.0, 2.0]
    assert pullback(seed) == ([13.0, {"a": 2.0}],)
    first, second = ag.grad(lambda x: ag.sum(x * x), (0, -1))(np.ones(2))
    first += 1.0
    assert second.tolist() == [2.0, 2.0]
