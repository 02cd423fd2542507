"""Robust losses: their curvature, the scale that nobody gave, and ends that are told for what they are."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import diffrt
from diffrt.fitting import make_problem, search, solve
from diffrt.fitting.loose import Loose
from diffrt.fitting.residual import CURVED, curvature, difference, robustify, slope
from diffrt.fitting.spread import sizes_of, spread_of_all
from diffrt.kinds import BlinnPhong, DirectionalLight, Lambert, Perspective, Sphere

BALL = diffrt.Scene(
    camera=Perspective(position=[0, 0, 5.0], target=[0, 0, 0], width=48, height=48, fov=28.0),
    shapes={"ball": Sphere(center=[0.05, -0.03, 0.0], radius=1.0, material=Lambert(albedo=[0.7, 0.5, 0.4]))},
    lights={"sun": DirectionalLight(direction=[-0.4, -0.5, -0.9], irradiance=2.5)},
)
START = {
    "ball.center.x": {"start": -0.05}, "ball.center.y": {"start": 0.06}, "ball.radius": {"start": 1.1},
    "ball.material.albedo": {"start": 0.4}, "sun.direction": {"start": [0.1, -0.2, -1.0]},
}  # fmt: skip
NOISE = 0.005


def photograph(seed, outliers=0.02, noise=NOISE, truth=BALL):
    """The ball with noise, and some pixels of another colour."""
    rng = np.random.default_rng(seed)
    target = np.asarray(diffrt.render(truth))
    target = target + noise * rng.normal(size=target.shape)
    wrong = rng.random(target.shape[:2]) < outliers
    target[wrong] = rng.uniform(0.0, 1.5, (wrong.sum(), 3))
    return target


def at_the_finest(found):
    """How many evaluations there were on the full image."""
    return sum(step.blur == 0.0 for step in found.history)


def far_off(found):
    """The largest error of center, radius and albedo."""
    truth = BALL.pack(found.components)
    return float(np.abs(found.values - truth)[:6].max())


@pytest.mark.parametrize("loss", ["huber", "soft_l1"])
def test_rows_have_the_second_derivative_of_the_loss(loss):
    d, scale, h = np.array([-0.3, -0.04, 0.01, 0.03, 0.055, 0.09]), 0.05, 1e-5
    off = robustify(loss, scale, d)
    t, q = slope(loss, scale, off), curvature(loss, scale, off)
    assert difference(loss, scale, off) == pytest.approx(d, rel=1e-12)
    half = [0.5 * robustify(loss, scale, d + move) ** 2 for move in (-h, 0.0, h)]
    assert off * t == pytest.approx((half[2] - half[0]) / (2 * h), rel=1e-5)
    second = (half[2] - 2.0 * half[1] + half[0]) / h**2
    floor = CURVED * t**2
    assert (q * t) ** 2 == pytest.approx(np.maximum(second, floor), rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("loss", ["huber", "soft_l1"])
def test_the_parabola_of_a_loose_row_touches_the_loss_and_is_above_it(loss):
    """On both sides of a bound too, and far from it."""
    scale, steps = 0.05, np.linspace(-1.0, 1.0, 801)
    for d in (-0.4, -0.06, -0.01, 0.02, 0.07, 0.3):
        for side in (-1.0, 0.0, 1.0):
            row = Loose("", np.array([[1.0, d]]), np.array([side]), loss, scale, CURVED)
            (slope_of, off), *_ = row.bent(above=True)
            (newton_slope, newton_off), *_ = row.bent()
            assert slope_of * off == pytest.approx(newton_slope * newton_off, abs=1e-12)
            parabola = (slope_of * steps + off) ** 2 - off**2
            rise = np.array([row.cost(np.array([step])) for step in steps]) - row.cost()
            assert (parabola >= rise - 1e-12).all(), (d, side)


def test_what_is_kept_of_the_loose_rows_is_of_the_largest_leverage_and_travels():
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(30, 4)) * np.where(np.arange(30) % 7 == 0, 50.0, 1.0)[:, None]
    whole = Loose("a", rows, rng.integers(-1, 2, 30).astype(float), "huber", 0.3, 0.1)
    kept, others = whole.split(5)
    assert np.array_equal(kept.rows, rows[::7]) and len(others.rows) == 25
    assert kept.cost() + others.cost() == pytest.approx(whole.cost())
    again, rest = Loose.unpacked("a", "huber", np.append(kept.packed, [7.0, 8.0]))
    assert np.array_equal(again.rows, kept.rows) and np.array_equal(again.side, kept.side)
    assert (again.scale, again.least, *rest) == (0.3, 0.1, 7.0, 8.0)


def test_a_robust_fit_ends_soon_and_finds_its_own_scale():
    target = photograph(1)
    squared, huber, soft = (diffrt.fit(BALL, target, START, loss=loss) for loss in ("squared", "huber", "soft_l1"))
    assert at_the_finest(squared) <= 6 and at_the_finest(huber) <= 12 and at_the_finest(soft) <= 12
    for robust in (huber, soft):
        assert robust.settings.scale == pytest.approx(search.TUNED * NOISE, rel=0.1)
        assert robust.state == "converged" and far_off(robust) < 0.3 * far_off(squared)
        errors = np.abs(robust.values - BALL.pack(robust.components))[:6] / robust.uncertainty.stderr[:6]
        assert errors.max() < 4.0


def test_the_spread_of_all_views_is_that_of_their_differences_together():
    rng = np.random.default_rng(2)
    views = [size * rng.normal(size=count) for size, count in ((1.0, 9000), (3.0, 4001), (0.2, 2000))]
    views[0][::3] = 0.0
    both = np.concatenate(views)
    assert spread_of_all([sizes_of(v) for v in views]) == pytest.approx(
        np.median(np.abs(both[both != 0.0])) / 0.6745, rel=0.01
    )
    assert spread_of_all([sizes_of(views[2])]) == pytest.approx(np.median(np.abs(views[2])) / 0.6745)
    assert spread_of_all([sizes_of(np.zeros(3))]) == 0.0


def test_a_robust_fit_that_was_cut_off_or_is_folded_elsewhere_ends_at_the_same_bits(tmp_path):
    """Its scale follows the differences, from one evaluation to the next."""
    small, steps = BALL.replace(width=24, height=24), []
    targets = [photograph(seed, truth=small) for seed in (11, 12)]
    how = {"levels": (), "loss": "huber"}
    free = {"ball.center.x": {"start": 0.0}, "ball.radius": {"start": 1.05}, "ball.material.albedo": {"start": 0.5}}
    whole = diffrt.fit(small, targets, free, **how)
    cut = diffrt.fit(
        small,
        targets,
        free,
        **how,
        folder=tmp_path / "out",
        progress=steps.append,
        stop=lambda: len(steps) > 1 and steps[-1].level == 1,
    )
    assert cut.state == "interrupted" and cut.settings.scale > 1.05 * whole.settings.scale
    resumed = diffrt.fit(small, targets, free, **how, folder=tmp_path / "out", resume=True)
    with ThreadPoolExecutor(1) as executor:
        elsewhere = diffrt.fit(small, targets, free, **how, executor=executor)
    for other in (resumed, elsewhere):
        assert np.array_equal(other.values, whole.values) and other.settings.scale == whole.settings.scale


@pytest.mark.slow
@pytest.mark.parametrize("material", ["matte", "glossy"])
def test_robust_fits_take_at_most_twice_the_evaluations_of_squared(material):
    """Balls of all colours under lights from everywhere in front."""
    for number in range(5):
        rng = np.random.default_rng([13, number])
        x, y = rng.uniform(-0.6, 0.6, 2)
        matter = Lambert(albedo=rng.uniform(0.3, 0.8, 3))
        start = {**START, "sun.direction": {"start": [x + 0.2, y - 0.3, -1.0]}}
        if material == "glossy":
            matter = BlinnPhong(rng.uniform(0.3, 0.7, 3), rng.uniform(0.1, 0.4), rng.uniform(20.0, 100.0))
            start |= {"ball.material.specular": {"start": 0.2}, "ball.material.shininess": {"start": 40.0}}
        truth = BALL.replace({"ball.material": matter, "sun.direction": [x, y, -1.0]})
        target = photograph([14, number], truth=truth)
        squared, *robust = (diffrt.fit(truth, target, start, loss=loss) for loss in ("squared", "huber", "soft_l1"))
        for found in robust:
            assert at_the_finest(found) <= 2 * at_the_finest(squared), number
            assert found.settings.scale == pytest.approx(search.TUNED * NOISE, rel=0.1)


def test_a_search_that_comes_to_rest_at_a_jump_of_the_image_ends_there():
    """Its steps lead up and down by the height of the jump, however short they are, and more is ahead than STUCK."""
    rng = np.random.default_rng([7, 2])
    albedo, angle, away = rng.uniform(0.3, 0.8, 3), rng.uniform(0.0, 2.0 * np.pi), rng.uniform(0.3, 0.9)
    camera = Perspective(position=[0, 0, 5.0], target=[0, 0, 0], width=48, height=48, fov=30.0)
    ball = Sphere(center=[*rng.uniform(-0.05, 0.05, 2), 0.0], radius=1.0, material=Lambert(albedo=albedo))
    sun = DirectionalLight([-away * np.cos(angle), -away * np.sin(angle), -1.0], 2.0)
    scene = diffrt.Scene(camera=camera, shapes={"ball": ball}, lights={"sun": sun})
    target = np.asarray(diffrt.render(scene)) + 0.01 * rng.normal(size=(48, 48, 3))
    wrong = rng.random((48, 48)) < 0.02
    target[wrong] = rng.uniform(0.0, 1.5, (wrong.sum(), 3))
    start = {
        "ball.center.x": {"start": -0.1}, "ball.center.y": {"start": 0.1}, "ball.radius": {"start": 1.08},
        "ball.material.albedo": {}, "sun.direction": {"start": [0.0, 0.0, -1.0]},
    }  # fmt: skip
    assert at_the_finest(diffrt.fit(scene, target, start)) <= 15


@pytest.mark.slow
def test_robust_fits_of_several_photographs_take_at_most_about_twice_the_evaluations_of_squared():
    """Glossy balls, whose outline and highlight are off at first: most differences there are in the tail."""
    gloss = {"type": "rough_plastic", "albedo": [0.5] * 3, "ior": 1.5, "alpha": 0.15}
    truth = BALL.replace({"ball.material": gloss}, width=32, height=32)
    targets = [
        photograph(20 + n, truth=truth.replace({"sun.direction": [0.5 * np.cos(n), 0.5 * np.sin(n), -1.0]}))
        for n in range(3)
    ]
    free = {"ball.center.x": {"start": 0.03}, "ball.center.y": {"start": -0.01}, "ball.radius": {"start": 1.02},
            "ball.material.albedo": {"start": 0.4}, "ball.material.alpha": {"start": 0.25}}  # fmt: skip
    each = {"sun.direction": {"start": [0.0, 0.0, -1.0]}}
    squared, *robust = (
        diffrt.fit(truth, targets, free, each=each, levels=(), loss=loss) for loss in ("squared", "huber", "soft_l1")
    )
    for found in robust:
        assert found.converged and found.evaluations <= 2 * squared.evaluations


@pytest.mark.slow
def test_a_robust_fit_of_an_image_without_noise_goes_on_to_the_end():
    found = diffrt.fit(BALL, photograph(3, noise=0.0), START, loss="huber")
    assert far_off(found) < 1e-5


@pytest.mark.slow
def test_coarse_levels_that_an_outlier_leads_astray_do_not_cost_a_good_start():
    target = photograph(4, outliers=0.0)
    target[:, :8] = 3.0  # a thumb over the lens
    start = {name: {} for name in START}
    found = diffrt.fit(BALL, target, start, loss="huber")
    assert far_off(found) < 0.02


def test_a_scale_that_does_nothing_is_told():
    target = photograph(5, outliers=0.0)
    truth = {name: {} for name in START}

    def notes(**how):
        return " ".join(diffrt.fit(BALL, target, truth, levels=(), **how).warnings)

    for loss in ("huber", "soft_l1"):
        assert "scale: 0.5 does nothing, as all differences are smaller" in notes(loss=loss, scale=0.5)
    assert "scale: 0.0001 is less than" in notes(loss="huber", scale=1e-4)
    assert "scale" not in notes(loss="huber", scale=0.005) and "scale" not in notes(loss="huber")


def test_what_rounding_leaves_is_no_misfit():
    found = diffrt.fit(BALL, np.asarray(diffrt.render(BALL)), START)
    assert far_off(found) < 1e-9 and found.state == "converged" and found.warnings == ()


def test_searches_from_many_starts_find_a_scale_too():
    free = {"ball.center.x": {"lower": -0.2, "upper": 0.2}, "ball.radius": {"lower": 0.8, "upper": 1.2}}
    with ThreadPoolExecutor(1) as executor:
        found = diffrt.fit(BALL, photograph(9), free, loss="huber", starts=2, refine=1, executor=executor)
    assert found.settings.scale == pytest.approx(search.TUNED * NOISE, rel=0.1)
    assert found.parameters["ball.radius"] == pytest.approx(1.0, abs=5.0 * found.stderr["ball.radius"])


def test_a_gradient_method_finds_a_scale_too():
    free = {"ball.radius": {"start": 0.95}}
    found = diffrt.fit(BALL, photograph(9), free, loss="huber", method="L-BFGS-B", levels=())
    assert found.settings.scale == pytest.approx(search.TUNED * NOISE, rel=0.1)
    assert found.parameters["ball.radius"] == pytest.approx(1.0, abs=5.0 * found.stderr["ball.radius"])


def test_a_fit_that_ends_at_a_bound_is_not_plainly_converged():
    found = diffrt.fit(BALL, photograph(6, outliers=0.0), {**START, "ball.radius": {"upper": 0.98, "start": 0.9}})
    assert found.state == "converged with reservations" and "ball.radius is at its bound" in found.reservations
    assert "ball.radius is at its bound" in str(found).splitlines()[-1]


def test_numbers_that_move_together_are_a_reservation():
    """A ball under one light, seen from far off: its distance and its radius."""
    far = BALL.replace({"camera.position": [0.0, 0.0, 40.0], "camera.fov": 3.4})
    rng = np.random.default_rng(7)
    target = np.asarray(diffrt.render(far)) + NOISE * rng.normal(size=(48, 48, 3))
    found = diffrt.fit(far, target, ["ball.center.z", "ball.radius", "sun.direction"], levels=())
    assert any("move together, correlation" in reason for reason in found.reservations), str(found)


def test_a_search_ends_where_its_steps_are_small_against_the_errors():
    problem = make_problem(BALL, photograph(8, outliers=0.0), START)
    found = solve(problem)
    assert found.message == search.SETTLED_MESSAGE
    tight = solve(make_problem(BALL, photograph(8, outliers=0.0), {
        name: {"start": value} for name, value in
        [*found.parameters.items()][:6]} | {"sun.direction": {"start": found.values[6:].tolist()}}))  # fmt: skip
    assert (np.abs(tight.values - found.values) < 0.05 * found.uncertainty.stderr).all()
