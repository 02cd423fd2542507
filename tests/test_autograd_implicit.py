"""A root is a function of what its equation holds, to any order of derivative."""

import numpy as np
import pytest

import diffrt.autograd as ag


def cube_root(p):
    """x^3 = p, with a value that was found elsewhere."""
    value = np.cbrt(np.asarray(ag.detach(p).value if isinstance(p, ag.Var) else p))
    return ag.root(lambda x, p: x * x * x - p, value, p)


def test_a_root_has_the_derivative_of_the_function_that_it_is():
    p = np.array([0.5, 2.0, 8.0])
    assert np.array_equal(cube_root(p), np.cbrt(p))
    assert ag.grad(lambda p: ag.sum(cube_root(p)))(p) == pytest.approx(p ** (-2 / 3) / 3, rel=1e-14)
    assert np.diag(ag.jacobian(cube_root)(p)) == pytest.approx(p ** (-2 / 3) / 3, rel=1e-14)


def test_the_second_and_third_derivative_of_a_root_are_right_too():
    p = np.array([0.5, 2.0, 8.0])
    second = ag.grad(lambda p: ag.sum(ag.grad(lambda q: ag.sum(cube_root(q)))(p)))
    assert second(p) == pytest.approx(-2 / 9 * p ** (-5 / 3), rel=1e-13)
    assert ag.hvp(lambda q: ag.sum(cube_root(q)), p, np.ones(3)) == pytest.approx(-2 / 9 * p ** (-5 / 3), rel=1e-13)
    third = ag.grad(lambda p: ag.sum(second(p)))
    assert third(p) == pytest.approx(10 / 27 * p ** (-8 / 3), rel=1e-12)


def test_a_root_of_several_inputs_has_a_derivative_by_each():
    a, b = np.array([1.0, 3.0]), 2.0  # a x^2 = b
    x = np.sqrt(b / a)
    by_a, by_b = ag.grad(lambda a, b: ag.sum(ag.root(lambda x, a, b: a * x * x - b, x, a, b)), (0, 1))(a, b)
    assert by_a == pytest.approx(-0.5 * x / a, rel=1e-14)
    assert by_b == pytest.approx(np.sum(0.5 * x / b), rel=1e-14)


def test_a_double_root_has_derivative_zero_not_infinity():
    assert ag.grad(lambda p: ag.sum(ag.root(lambda x, p: x * x - p, np.zeros(1), p)))(np.zeros(1)) == 0.0


def test_a_transform_inside_a_recorded_rule_leaves_no_variable_of_its_own_in_the_result():
    """Program: the second derivative of a root whose start is a plain number."""
    found = ag.hessian(lambda p: ag.sum(ag.root(lambda x, q: x * x - q, np.sqrt([2.0, 3.0]), p)))(np.array([2.0, 3.0]))
    assert type(found) is np.ndarray
    inner = ag.grad(lambda x: x * ag.jvp(lambda y, z: y * z, (3.0, x), (1.0, 0.0))[1])(2.0)
    assert inner == 4.0
    assert type(inner) is float
