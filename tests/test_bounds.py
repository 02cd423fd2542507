"""Bounds: no value may ever leave them, and they are worth having."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffrt import autograd
from diffrt.autograd import TABLE, bounds, where
from diffrt.autograd.variable import apply

ROWS = [r for r in TABLE.values() if r.bounds is not None and r.name not in ("chain", "alias", "where")]
UNARY = [r.name for r in ROWS if r.partials is not None and len(r.partials) == 1]
BINARY = [r.name for r in ROWS if r.partials is not None and len(r.partials) == 2 and r.name != "power"]
COMPARED = ["less", "less_equal", "greater", "greater_equal", "equal", "not_equal"]


@st.composite
def programs(draw):
    """A program of three numbers: each line an op of the table on what came before, or on a constant."""
    lines = []
    for i in range(draw(st.integers(1, 8))):
        place = st.integers(0, 2 + i)
        kind = draw(st.sampled_from(["one", "two", "two", "constant", "where", "power"]))
        if kind == "one":
            lines.append((draw(st.sampled_from(UNARY)), draw(place)))
        elif kind == "two":
            lines.append((draw(st.sampled_from(BINARY)), draw(place), draw(place)))
        elif kind == "constant":
            lines.append((draw(st.sampled_from(["add", "multiply", "divide", "subtract"])), draw(place),
                          draw(st.floats(-4, 4)), draw(st.booleans())))  # fmt: skip
        elif kind == "power":
            lines.append(("power", draw(place), draw(st.sampled_from([2.0, 3.0, 5.0, -1.0, 0.5, 1.7, -2.0])), False))
        else:
            lines.append(("where", draw(st.sampled_from(COMPARED)), *(draw(place) for _ in range(4))))
    return lines


def run(lines, x):
    known = [x[0], x[1], x[2]]
    for name, *given_ in lines:
        if name == "where":
            compared, a, b, c, d = given_
            known.append(where(apply(TABLE[compared], (known[a], known[b])), known[c], known[d]))
        elif len(given_) == 3:
            a, constant, turned = given_
            known.append(apply(TABLE[name], (constant, known[a]) if turned else (known[a], constant)))
        else:
            known.append(apply(TABLE[name], tuple(known[i] for i in given_)))
    return known[3:]


def values(lines, points):
    with np.errstate(all="ignore"):
        return run(lines, points)


@settings(max_examples=400, deadline=None)
@given(
    programs(),
    st.lists(st.tuples(st.floats(-3, 3), st.sampled_from([0.0, 1e-12, 1e-3, 0.1, 1.0])), min_size=3, max_size=3),
    st.integers(0, 2**32 - 1),
)
def test_no_value_leaves_its_bounds(lines, box, seed):
    low = np.array([c - h for c, h in box])
    high = np.array([c + h for c, h in box])
    rng = np.random.default_rng(seed)
    share = rng.uniform(size=(3, 200))
    share[:, :50] = rng.integers(0, 2, (3, 50))  # corners of the box
    points = np.clip(low[:, None] + share * (high - low)[:, None], low[:, None], high[:, None])
    compared = []
    for number, found in enumerate(values(lines, points)):
        least, most = bounds(lambda x, n=number: run(lines, x)[n], low, high)
        found = np.broadcast_to(found, 200)
        # Where an operand of a comparison has no value, nothing is said.
        compared.append(np.isnan(found))
        fine = ~np.any(compared, axis=0)
        assert ((found >= least) & (found <= most))[fine].all(), (number, least, most, found.min(), found.max())


@settings(max_examples=200, deadline=None)
@given(programs(), st.sampled_from(COMPARED), st.integers(0, 100), st.integers(0, 100), st.integers(0, 2**32 - 1))
def test_a_truth_that_is_known_is_so_everywhere(lines, compared, a, b, seed):
    rng = np.random.default_rng(seed)
    low = rng.uniform(-2, 2, 3)
    high = low + rng.choice([0.0, 1e-9, 0.1, 1.0], 3)
    points = low[:, None] + rng.uniform(size=(3, 100)) * (high - low)[:, None]

    def truth(x):
        known = [x[0], x[1], x[2], *run(lines, x)]
        return known, apply(TABLE[compared], (known[a % len(known)], known[b % len(known)]))

    with np.errstate(all="ignore"):
        known, found = truth(points)
    fine = ~np.any([np.isnan(np.broadcast_to(k, 100)) for k in known], axis=0)
    surely, maybe = bounds(lambda x: truth(x)[1], low, high)
    found = np.broadcast_to(found, 100)[fine]
    assert not surely or maybe
    assert not (surely and not found.all())
    assert not (not maybe and found.any())


@pytest.mark.parametrize("name", UNARY)
def test_bounds_of_a_function_close_in_with_the_square_of_the_width(name):
    function, at = getattr(autograd, "absolute" if name == "abs" else name), 0.37
    excess = []
    for half in (1e-2, 1e-3):
        least, most = bounds(function, at - half, at + half)
        ends = sorted(float(function(at + side)) for side in (-half, half))
        excess.append(max(ends[0] - least, most - ends[1]))
        assert excess[-1] < 12.0 * half * half + 1e-14
    assert excess[1] < 0.02 * excess[0] + 1e-14


def test_what_cancels_is_seen_to_cancel():
    least, most = bounds(lambda x: (x[0] + x[1]) - x[0] - x[1], [0.0, 0.0], [1.0, 1.0])
    assert -1e-14 < least <= 0.0 <= most < 1e-14


def test_a_known_number_stays_known():
    assert bounds(lambda x: (x + 0.1) * 3.0 / 7.0, 0.3, 0.3) == ((0.3 + 0.1) * 3.0 / 7.0,) * 2


def test_an_infinite_number_proves_nothing_wrong():
    # The hull of a distance and of infinity is unknown, and so is every comparison with it.
    def hit(x):
        t = where(x > 0.0, x, np.inf)
        return t < 2.0

    assert bounds(hit, -1.0, 1.0) == (False, True)
    assert bounds(hit, 0.5, 1.0) == (True, True)
    assert bounds(hit, -1.0, -0.5) == (False, False)


def test_arrays_keep_their_shape_and_an_op_without_a_rule_is_unknown():
    lower, upper = bounds(lambda x: autograd.stack([x, 2.0 * x]), np.zeros((2, 3)), np.ones((2, 3)))
    assert lower.shape == upper.shape == (2, 2, 3)
    assert (lower <= 0.0).all() and (upper[1] >= 2.0).all() and (upper[1] < 2.0 + 1e-12).all()


@pytest.mark.parametrize(
    ("lower", "upper", "message"),
    [
        ([0.0, 1.0], [1.0], "shape"),
        ([1.0], [0.0], "lower <= upper"),
        ([0.0], [np.inf], "finite"),
        ([np.nan], [1.0], "finite"),
    ],
)
def test_a_box_that_is_none_is_refused(lower, upper, message):
    with pytest.raises(ValueError, match=message):
        bounds(lambda x: x, lower, upper)


def test_a_branch_on_a_value_is_refused():
    with pytest.raises(TypeError, match="where"):
        bounds(lambda x: x if x > 0.5 else -x, 0.0, 1.0)
