"""What other autograd cores are known to get wrong. Each test is named after the failure."""

import operator

import numpy as np
import pytest

import diffrt.autograd as ag
from diffrt.autograd import Var, variable


def test_x_times_x_has_lost_an_edge():
    x = variable(3.0)
    y = x * x
    assert y.inputs == (x, x)
    y.backward()
    assert x.grad == 6.0


def test_backward_twice_gives_another_answer():
    x = variable([1.0, 2.0])
    y = ag.sum(x * x * x)
    y.backward()
    first = x.grad
    y.backward()
    assert np.array_equal(x.grad, 2.0 * first), "leaves accumulate, nothing else does"


def test_nan_leaks_from_the_branch_that_was_not_taken():
    f = ag.grad(lambda x: ag.sum(ag.where(x > 0.0, ag.sqrt(x), 0.0)))
    with np.errstate(invalid="ignore"):
        assert f(np.array([-1.0, 4.0])).tolist() == [0.0, 0.25]
    assert ag.grad(lambda x: ag.where(x > 0.0, ag.sqrt(x), 0.0))(-1.0) == 0.0
    assert ag.grad(lambda x: ag.where(x > 0.0, 1.0 / x, 7.0))(0.0) == 0.0
    assert ag.grad(lambda x: ag.where(x > 0.0, ag.log(x) * x, x))(0.0) == 1.0
    assert ag.jvp(lambda x: ag.where(x > 0.0, ag.sqrt(x), 0.0), (-1.0,), (1.0,))[1] == 0.0
    assert ag.hessian(lambda x: ag.where(x > 0.0, ag.sqrt(x), x * x))(-1.0) == 2.0


def test_sqrt_and_norm_at_zero_are_nan():
    assert ag.grad(ag.sqrt)(0.0) == np.inf
    assert ag.grad(lambda x: ag.sqrt(x * x))(0.0) == 0.0
    assert ag.grad(ag.norm)(np.zeros(3)).tolist() == [0.0, 0.0, 0.0]
    assert ag.jvp(ag.norm, (np.zeros(3),), (np.ones(3),))[1] == 0.0


def test_a_long_chain_hits_the_recursion_limit():
    x = variable(1.0)
    y = x
    for _ in range(100_000):
        y = y * 1.00001
    y.backward()
    assert x.grad == pytest.approx(1.00001**100_000, rel=1e-10)
    assert ag.jvp(_long, (1.0,), (1.0,))[1] == pytest.approx(1.00001**100_000, rel=1e-10)
    del y  # freeing the graph must not recurse either


def _long(x):
    for _ in range(100_000):
        x = x * 1.00001
    return x


def test_an_edit_in_place_is_silently_ignored():
    data = np.array([1.0, 2.0])
    x = variable(data)
    data[0] = 100.0  # a copy was taken
    y = ag.sum(x * x)
    with pytest.raises(ValueError, match="read-only"):
        x.value[0] = 5.0
    with pytest.raises(TypeError, match="cannot be edited in place"):
        x[0] = 5.0
    y.backward()
    assert x.grad.tolist() == [2.0, 4.0]
    z = x * np.array([1.0, 2.0])
    view = np.ones(4)[:2]
    w = ag.sum(x * view)
    view[:] = 50.0  # the graph holds its own copy
    x.grad = None
    w.backward()
    assert x.grad.tolist() == [1.0, 1.0]
    with pytest.raises(TypeError, match="cannot write into"):
        np.add(x, 1.0, out=np.zeros(2))
    kept = z
    z += 1.0
    assert kept is not z


@pytest.mark.parametrize("op", [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow])
def test_array_op_var_becomes_an_object_array(op):
    for left in (np.array([1.0, 2.0]), np.float64(2.0), np.array(3.0), [1.0, 2.0]):
        result = op(left, variable([1.0, 2.0]))
        assert isinstance(result, Var)
        assert isinstance(result.value, np.ndarray)
        assert result.dtype == np.float64
    assert isinstance(np.eye(2) @ variable([1.0, 2.0]), Var)
    assert isinstance(np.float64(2.0) * variable(1.0), Var)


def test_integer_inputs_have_integer_derivatives():
    x = variable([1, 2, 3])
    assert x.dtype == np.float64
    ag.sum(x**2).backward()
    assert x.grad.tolist() == [2.0, 4.0, 6.0]
    assert ag.grad(lambda v: v / 2)(3) == 0.5
    assert ag.grad(lambda v: v ** np.int64(2))(3) == 6.0


def test_backward_of_a_vector_without_a_seed():
    x = variable([1.0, 2.0])
    with pytest.raises(ValueError, match=r"output of shape \(2,\) needs a seed of that shape; reduce it"):
        (x * x).backward()
    with pytest.raises(ValueError, match=r"seed has shape \(3,\), but the output has shape \(2,\)"):
        (x * x).backward(np.ones(3))
    with pytest.raises(ValueError, match="scalar result"):
        ag.grad(lambda v: v * v)(np.ones(2))
    (x * x).backward(np.array([1.0, 10.0]))
    assert x.grad.tolist() == [2.0, 40.0]


def test_nested_derivatives_are_confused():
    assert ag.grad(lambda x: x * ag.grad(lambda y: x + y)(1.0))(1.0) == 1.0
    inner = lambda x: ag.jvp(lambda y: x + y, (1.0,), (1.0,))[1]  # noqa: E731
    assert ag.jvp(lambda x: x * inner(x), (1.0,), (1.0,))[1] == 1.0
    assert ag.grad(lambda x: x * inner(x))(1.0) == 1.0


def test_a_gradient_by_the_outer_variable_is_lost():
    x = variable(2.0)
    slope = ag.grad(lambda y: y * y * x)(3.0)
    assert isinstance(slope, Var)
    slope.backward()
    assert x.grad == 6.0


def test_no_grad_and_detach_still_record():
    x = variable(2.0)
    with ag.no_grad():
        y = x * x
    assert not y.tracked
    z = x * ag.detach(x * x)
    z.backward()
    assert x.grad == 4.0
    with ag.no_grad():
        assert ag.grad(lambda v: v * v)(3.0) == 6.0, "an explicit derivative is computed anyway"


def test_checkpoint_changes_a_derivative():
    f = lambda x, y: ag.sin(x * y) + x  # noqa: E731
    kept = ag.checkpoint(f)
    for make in (ag.grad, lambda g: ag.grad(lambda x, y: ag.grad(g)(x, y)), lambda g: ag.grad(g, 1)):
        assert make(kept)(0.7, 1.3) == pytest.approx(make(f)(0.7, 1.3), rel=1e-14)
    assert ag.jvp(kept, (0.7, 1.3), (1.0, 2.0)) == pytest.approx(ag.jvp(f, (0.7, 1.3), (1.0, 2.0)), rel=1e-14)
    assert len(kept(variable(0.7), variable(1.3)).inputs) == 2, "nothing between is kept"


def test_checkpoint_loses_a_variable_that_is_no_argument():
    y = variable(2.0)
    with pytest.raises(ValueError, match="pass it as an argument"):
        ag.checkpoint(lambda x: x * y)(variable(1.0))


def test_entries_that_tie_get_the_derivative_more_than_once():
    assert ag.grad(ag.max)(np.array([1.0, 3.0, 3.0])).tolist() == [0.0, 0.5, 0.5]
    assert ag.grad(lambda x: ag.maximum(x, 2.0))(2.0) == 0.5
    assert ag.grad(lambda x: ag.maximum(x, x))(2.0) == 1.0


def test_a_power_of_zero_is_nan():
    assert ag.grad(lambda x: x**2)(0.0) == 0.0
    assert ag.grad(lambda x: x**0)(0.0) == 0.0
    assert ag.hessian(lambda x: x**2)(0.0) == 2.0
    assert ag.grad(lambda n: 0.0**n)(2.0) == 0.0
    assert ag.grad(lambda x: x**2)(-3.0) == -6.0


def test_overflow_in_a_stable_function():
    assert ag.sigmoid(1000.0) == 1.0
    assert ag.grad(ag.sigmoid)(1000.0) == 0.0
    assert ag.grad(ag.sigmoid)(30.0) == pytest.approx(np.exp(-30.0), rel=1e-12)
    assert np.isfinite(ag.log_softmax(np.array([1000.0, 0.0]))).all()
    assert ag.grad(lambda x: ag.softmax(x)[0])(np.array([1000.0, 0.0])).tolist() == [0.0, 0.0]
    assert ag.grad(ag.tanh)(1000.0) == 0.0


def test_mathematics_that_drops_the_derivative_is_allowed():
    import math

    with pytest.raises(TypeError, match="would lose its derivative"):
        math.sin(variable(1.0))
    with pytest.raises(TypeError, match="would lose its derivative"):
        np.asarray(variable([1.0]), dtype=float)
    with pytest.raises(TypeError, match=r"np\.arcsinh has no derivative here; use np\.arcsin"):
        np.arcsinh(variable(1.0))
    with pytest.raises(TypeError, match="has no derivative here"):
        np.linalg.svd(variable(np.eye(2)))
    with pytest.raises(TypeError, match="make one Var of them with"):
        ag.sin([variable(1.0), variable(2.0)])


def test_a_numpy_function_reads_its_arguments_in_another_order_than_numpy():
    data = np.arange(6.0).reshape(2, 3) + 1.0
    x = variable(data)
    assert np.take(x, [4, 0]).value.tolist() == np.take(data, [4, 0]).tolist()
    assert np.concatenate([x, x], None).value.tolist() == np.concatenate([data, data], None).tolist()
    ag.sum(np.concatenate([x, x], None) * np.arange(12.0)).backward()
    assert x.grad.tolist() == [[6.0, 8.0, 10.0], [12.0, 14.0, 16.0]]
    for refused in (
        lambda: np.linalg.norm(x, 1),  # the order of the norm, not an axis
        lambda: np.sum(x, 1, True),  # a dtype, not keepdims
        lambda: np.cross(x, x, -1),  # the axis of the first factor
    ):
        with pytest.raises(TypeError, match="positional"):
            refused()


@pytest.mark.parametrize("bad", ["text", 1j, None, [1.0, [2.0]], object()])
def test_a_value_that_is_no_number_is_taken(bad):
    with pytest.raises(TypeError, match=r"real numbers|one shape"):
        variable(bad)


def test_an_input_that_the_result_does_not_depend_on_has_no_gradient():
    assert ag.grad(lambda x: 3.0)(1.0) == 0.0
    assert ag.grad(lambda x, y: x * 2.0, (0, 1))(1.0, np.ones(2))[1].tolist() == [0.0, 0.0]
    assert ag.jacobian(lambda x: ag.stack([1.0, 2.0]))(np.ones(3)).tolist() == [[0.0] * 3] * 2


def test_float32_becomes_float64():
    x = variable(np.ones(3, np.float32))
    y = ag.sum(x * 2.0 * x)
    y.backward()
    assert (x * 2.0).dtype == np.float32
    assert x.grad.dtype == np.float32
