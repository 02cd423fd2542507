"""Fits of many views: what each has for itself, what is known of each, who folds them, and what is refused."""

import os
import re
import signal
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image as pillow

import diffrt
from diffrt import DirectionalLight, InputError, Lambert, Perspective, Scene, Sphere
from diffrt.fitting import make_problem, read_problem, solve
from diffrt.fitting.crew import Crew, can_travel
from diffrt.fitting.evaluation import Objective
from diffrt.fitting.level import Level
from diffrt.fitting.processes import Processes
from diffrt.fitting.residual import sights
from diffrt.fitting.triangle import Triangle
from diffrt.fitting.trust_region import Tolerances, least_squares

SIZE = 24
SCENE = Scene(
    camera=Perspective(position=(0, 0, 6), target=(0, 0, 0), fov=25, width=SIZE, height=SIZE),
    shapes={"ball": Sphere(center=(0.03, -0.02, 0), radius=1.0, material=Lambert(albedo=0.8))},
    lights={
        "sun": DirectionalLight(direction=(0.3, -0.4, -1.0), irradiance=3.0),
        "lamp": DirectionalLight(direction=(-0.5, -0.2, -0.7), irradiance=0.5),
    },
)
START = SCENE.replace({"ball.center": (0, 0, 0), "ball.radius": 0.95, "sun.direction": (0, 0, -1)})
DIRECTIONS = np.array([[0.3, -0.4, -1.0], [-0.5, 0.1, -0.9], [0.1, 0.5, -0.8], [0.0, -0.2, -1.0]])
STRENGTHS = np.array([3.0, 2.0, 4.0, 2.5])
TARGETS = [
    np.asarray(diffrt.render(SCENE.replace({"sun.direction": d, "sun.irradiance": s})))
    for d, s in zip(DIRECTIONS, STRENGTHS, strict=True)
]
SHARED = ["ball.center.x", "ball.center.y", "ball.radius"]
EACH = ["sun.direction", "sun.irradiance"]


def problem(**changes):
    return make_problem(**{"scene": START, "target": TARGETS, "free": SHARED, "each": EACH, **changes})


def refused(words, **changes):
    with pytest.raises(InputError) as fault:
        problem(**changes)
    assert words in str(fault.value), str(fault.value)
    assert len(fault.value.problems) == 1


def test_each_view_finds_its_own_light_and_all_the_same_ball():
    found = solve(problem())
    assert found.converged
    for number, (direction, strength) in enumerate(zip(DIRECTIONS, STRENGTHS, strict=True), 1):
        own = np.array([found.parameters[f"view{number}.sun.direction.{c}"] for c in "xyz"])
        assert own / np.linalg.norm(own) == pytest.approx(direction / np.linalg.norm(direction), abs=1e-6)
        assert found.parameters[f"view{number}.sun.irradiance.g"] == pytest.approx(strength, rel=1e-6)
        scene = found.scenes[f"view{number}"]
        assert scene["sun.irradiance"] == pytest.approx([strength] * 3) and scene["ball.radius"] == pytest.approx(1.0)
    assert found.scene["ball.center"] == pytest.approx([0.03, -0.02, 0.0], abs=1e-6)


def test_a_view_is_differentiated_by_its_own_numbers_and_the_shared_ones_only():
    own = problem()
    objective = Objective(own.variables, sights(own.views, Level(), own.settings))
    assert [len(part.at) for part in objective.parts] == [5 + 3] * 4
    u = own.variables.start + 0.01
    found = objective.triangle(u)
    assert found.layout.size == len(u) == 4 * 5 + 3
    value, slope = objective.gradient(u)
    assert found.cost / objective.size == pytest.approx(value, rel=1e-12)
    assert 2.0 * found.slope / objective.size == pytest.approx(slope, rel=1e-8, abs=1e-12)
    assert found.jacobian.T @ found.residual == pytest.approx(found.slope, rel=1e-9, abs=1e-12)
    step = np.linspace(-0.1, 0.1, len(u))
    assert found.after(step).residual == pytest.approx(found.residual + found.jacobian @ step, abs=1e-12)


def arrow(seed=0, views=3, own=2, shared=3):
    """A problem with Jacobians that are an arrow, as a triangle, and J and r."""
    rng = np.random.default_rng(seed)
    free = [diffrt.fitting.variables.Free(f"v{v}.a", ("",) * own, "plain", *np.zeros((3, own)), view=f"v{v}")
            for v in range(views)]  # fmt: skip
    free.append(diffrt.fitting.variables.Free("s", ("",) * shared, "plain", *np.zeros((3, shared))))
    variables = diffrt.fitting.variables.Variables(tuple(free))
    layout = diffrt.fitting.triangle.Layout.of(variables)
    blocks, rows = [], []
    for v in range(views):
        block = rng.normal(size=(20, own + shared + 1))
        full = np.zeros((20, layout.size + 1))
        full[:, np.append(variables.seen_by(f"v{v}")[1], layout.size)] = block
        rows.append(full)
        blocks.append(
            diffrt.fitting.triangle.Fold(f"v{v}", np.linalg.qr(block, mode="r"), 20, (block[:, -1] ** 2).sum())
        )
    matrix = np.concatenate(rows)
    return Triangle.joined(layout, blocks), matrix[:, :-1], matrix[:, -1]


def test_an_arrow_is_solved_as_the_whole_matrix_is():
    found, J, r = arrow()
    assert found.lengths == pytest.approx(np.linalg.norm(J, axis=0)) and found.squares == pytest.approx(r @ r)
    damping = np.linspace(0.1, 2.0, J.shape[1])
    whole = np.linalg.inv(J.T @ J + np.diag(damping**2))
    solved = found.damped(damping)
    assert solved.step == pytest.approx(-whole @ J.T @ r)
    w = np.arange(J.shape[1]) - 3.0
    assert solved.square(w) == pytest.approx(w @ whole @ w)
    assert np.array_equal(Triangle.unpacked(found.layout, found.packed).packed, found.packed)


def test_a_trust_region_keeps_bounds_and_ends_at_the_least_squares_in_them():
    from scipy.optimize import lsq_linear

    for seed in range(5):
        found, J, r = arrow(seed)
        limit = np.full(J.shape[1], 0.1)

        def evaluate(u, before, found=found):
            there = found.after(u)
            return diffrt.fitting.triangle.replace(there, cost=there.squares)

        end = least_squares(evaluate, 0.0 * limit, (-limit, limit), 1.0, Tolerances(1e-14, 1e-12, 1e-14), 60)
        best = lsq_linear(J, -r, (-limit, limit), tol=1e-12)
        assert end.converged and (np.abs(end.u) <= limit).all() and (np.abs(end.u) == limit).any()
        assert found.after(end.u).squares == pytest.approx(2.0 * best.cost, rel=1e-6)


def test_a_search_that_ends_far_from_zero_is_not_slowed_by_the_second_derivatives_that_it_lacks():
    """By Gauss-Newton steps alone each leaves 0.55 of the way, and it takes 24 evaluations."""
    free = diffrt.fitting.variables.Free("s", ("", ""), "plain", *np.zeros((3, 2)))
    layout = diffrt.fitting.triangle.Layout.of(diffrt.fitting.variables.Variables((free,)))
    seen = []

    def evaluate(u, before):
        seen.append(u)
        r = np.array([u[0], 3.0 * (u[1] - u[0] ** 2), 0.5 * u[0] ** 2 - 0.55])
        J = np.array([[1.0, 0.0], [-6.0 * u[0], 3.0], [u[0], 0.0]])
        return Triangle(layout, (), np.linalg.qr(np.column_stack([J, r]), mode="r"), 3, float(r @ r))

    nowhere = np.full(2, np.inf)
    end = least_squares(evaluate, np.array([0.15, 0.1]), (-nowhere, nowhere), 1.0, Tolerances(1e-20, 1e-6, 1e-30), 60)
    assert end.message == "steps are short" and np.abs(end.u).max() < 1e-5
    assert len(seen) <= 14


def test_what_is_known_of_each_view_need_not_be_found():
    found = solve(problem(each=["exposure"], values={"sun.direction": DIRECTIONS}))
    known = found.problem.views[1].scene["sun.direction"]
    assert known == pytest.approx(DIRECTIONS[1]) and "view2.sun.direction.x" not in found.parameters
    assert [found.parameters[f"view{n}.exposure"] for n in (1, 3)] == pytest.approx([1.0, 4.0 / 3.0], abs=0.3)
    starts = problem(values={"sun.direction": DIRECTIONS}).variables
    at = starts.components.index("view3.sun.direction.x")
    assert starts.numbers(starts.start)[at : at + 3] == pytest.approx(DIRECTIONS[2])


def test_a_light_may_shine_in_some_views_only():
    views = [{"target": target, "lights": ["sun"]} for target in TARGETS[:2]]
    views[1] = {"target": TARGETS[1]}
    own = problem(target=views, each=["sun.direction", "lamp.irradiance.r"])
    assert list(own.views[0].scene.lights) == ["sun"]
    assert "view2.lamp.irradiance.r" in own.variables.components
    assert "view1.lamp.irradiance.r" not in own.variables.components


def test_ties_hold_in_every_view():
    ties = {f"sun.irradiance.{c}": "sun.irradiance.r" for c in "gb"}
    own = problem(each=["sun.irradiance.r"], ties=ties, free=["ball.radius"])
    assert len(own.variables.start) == 4 + 1
    values = own.variables.assign(own.variables.start + 0.5)
    assert own.views[2].placed(values)["sun.irradiance"] == pytest.approx([3.5] * 3)


def test_a_camera_of_each_view_may_have_something_of_its_own():
    own = problem(each=["camera.position"])
    moved = own.variables.assign(own.variables.start + 0.1)
    assert own.views[0].placed(moved)["camera.position"] == pytest.approx([0.1, 0.1, 6.1])
    assert own.views[0].scene["camera.fov"] == 25.0 and not own.views[0].own_camera


def test_errors_view_by_view_are_those_of_the_whole():
    from diffrt.fitting.bias import biases
    from diffrt.fitting.scatter import scatter
    from diffrt.fitting.triangle import Layout
    from diffrt.fitting.uncertainty import uncertainty

    rng = np.random.default_rng(2)
    noisy = [target + 0.01 * rng.normal(size=target.shape) for target in TARGETS]
    found = solve(problem(target=noisy))
    triangle, (fields, block) = found.found.triangle, found._fields
    J, variables, u = triangle.jacobian, found.problem.variables, found.found.u
    every = np.arange(len(u))
    places = {view.name: every for view in found.problem.views}
    bias = biases(Layout(len(u), every, ()), places, fields, block, np.zeros(len(u), bool)).all
    whole = uncertainty(
        J, triangle.residual, variables.labels, None, triangle.count, variables.slopes(u), variables.components,
        lambda covariance: scatter(fields, covariance, J.T @ J, block), bias,
    )  # fmt: skip
    ratio = found.uncertainty.stderr / whole.stderr
    assert ratio == pytest.approx(np.full(len(ratio), np.median(ratio)), rel=0.05)
    assert np.median(ratio) == pytest.approx(1.0, rel=0.15)
    same = ~np.isnan(found.correlation)
    assert same.sum() > 200 and found.correlation[same] == pytest.approx(whole.correlation[same], abs=0.1)


def test_what_no_view_can_tell_is_said_once():
    # The known lamp would tell the albedo, and at its bound that is taken as known.
    dark = START.replace({"lamp.irradiance": 0.0, "ball.material.albedo": 0.4, "sun.irradiance": 6.0})
    found = solve(problem(scene=dark, free=[*SHARED, "ball.material.albedo"], iterations=8))
    told = [warning for warning in found.warnings if "cannot tell" in warning]
    assert told and all(warning.startswith("in 4 views, such as view1: the image cannot tell") for warning in told)
    assert np.isinf(found.stderr["ball.material.albedo.r"]) and np.isinf(found.stderr["view4.sun.irradiance.r"])
    assert np.isfinite(found.stderr["ball.radius"])


@pytest.mark.slow
def test_others_fold_to_the_same_bits():
    here = solve(problem())
    with Processes(2) as workers:
        found = solve(problem(), executor=workers)
        assert found.values.tolist() == here.values.tolist() and found.evaluations == here.evaluations
    with ThreadPoolExecutor(2) as threads:
        assert solve(problem(), executor=threads).values.tolist() == here.values.tolist()


def test_a_killed_process_costs_its_view_and_nothing_else():
    here, killed = solve(problem()), []
    with Processes(2) as workers:

        def kill(step):
            if step.count == 3:
                killed.append(workers.slots[0].pid)
                os.kill(killed[0], signal.SIGKILL)

        found = solve(problem(), kill, executor=workers)
        assert workers.slots[0].pid != killed[0] and workers.slots[1].pid not in killed
    assert found.values.tolist() == here.values.tolist()


def test_a_view_travels_once_and_small_ones_together():
    own = problem()
    with Processes(1) as workers:
        crew = Crew(own, workers)
        sent = []
        submit = workers.slots[0].submit
        workers.slots[0].submit = lambda *task: sent.append([data is not None for data, _ in task[-1]]) or submit(*task)
        for shift in (0.0, 0.01):
            assert len(list(crew.folds(Level(), own.settings, own.variables.start + shift))) == 4
    assert [anew for task in sent for anew in task] == [True] * 4 + [False] * 4
    assert max(map(len, sent)) == 2


def test_a_worker_that_was_started_anew_is_sent_its_views_again():
    own = problem()
    with Processes(1) as workers:
        crew = Crew(own, workers)
        before, after = [], []
        for found in (before, after):
            found += [fold.folded.tolist() for fold in crew.folds(Level(), own.settings, own.variables.start)]
            workers.submit(os.getpid).result()
            os.kill(workers.slots[0].pid, signal.SIGKILL)
    assert before == after and len(after) == 4


@pytest.mark.skipif(sys.platform != "linux", reason="what the C library does is known of Linux")
def test_who_renders_keeps_what_it_frees():
    with Processes(1) as workers:
        first, again = (workers.submit(pages_of_arrays).result() for _ in range(2))
    assert again < 0.1 * first


def pages_of_arrays():
    """The pages that this process, which has rendered an image, got from the system for arrays which it freed."""
    import resource

    diffrt.render(START)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        several = [np.ones(100_000) for _ in range(20)]
        del several
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def test_kinds_of_the_running_program_stay_in_it(monkeypatch):
    assert can_travel(problem())
    monkeypatch.setattr(Sphere, "__module__", "__main__")
    monkeypatch.setattr("__main__.Sphere", Sphere, raising=False)
    assert not can_travel(problem())


# Files.


@pytest.fixture
def folder(tmp_path):
    START.save(tmp_path / "scene.toml")
    (tmp_path / "photos").mkdir()
    for number, target in zip((2, 10, 1, 30), TARGETS, strict=True):
        np.save(tmp_path / f"photos/p{number}.npy", target)
    np.save(tmp_path / "directions.npy", DIRECTIONS)
    return tmp_path


def written(folder, more=""):
    text = f'scene = "scene.toml"\ntarget = "photos/*.npy"\nfree = ["ball.radius"]\neach = ["sun.irradiance"]\n{more}'
    (folder / "fit.toml").write_text(text)
    return folder / "fit.toml"


def test_a_pattern_is_in_the_order_of_its_numbers(folder):
    own = read_problem(written(folder, '[values]\n"sun.direction" = "directions.npy"\n'))
    assert [view.name for view in own.views] == ["p1", "p2", "p10", "p30"]
    assert own.views[2].scene["sun.direction"] == pytest.approx(DIRECTIONS[2])
    assert own.variables.components[-1] == "p30.sun.irradiance.b"


def test_a_table_may_name_the_files_and_what_a_fit_writes_is_one(folder):
    table = "file, sun.direction.x, sun.direction.y, sun.direction.z\n" + "".join(
        f"p{number}.npy, {d[0]}, {d[1]}, {d[2]}\n" for number, d in zip((2, 10, 1, 30), DIRECTIONS, strict=True)
    )
    (folder / "lights.csv").write_text(table)
    own = read_problem(written(folder, 'values = "lights.csv"\n'))
    assert own.views[0].scene["sun.direction"] == pytest.approx(DIRECTIONS[2])
    found, names = diffrt.fitting.solve_into(own, folder / "out")
    assert "views.csv" in names and "p30_comparison.png" in names
    again = read_problem(written(folder, 'values = "out/views.csv"\n'))
    assert again.views[3].scene["sun.irradiance"][1] == found.parameters["p30.sun.irradiance.g"]


@pytest.mark.slow
def test_of_very_many_views_those_are_shown_that_are_off_by_most(folder, monkeypatch):
    monkeypatch.setattr("diffrt.fitting.pictures.MOST_SHOWN", 2)
    targets = [*TARGETS[:3], TARGETS[3] + 0.2 * np.indices((SIZE, SIZE))[0][..., None] % 0.3]
    _, names = diffrt.fitting.solve_into(problem(target=targets), folder / "out")
    assert sum(name.endswith("comparison.png") for name in names) == 2 and "view4_comparison.png" in names
    assert "Of 4 views those 2" in (folder / "out/report.html").read_text()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ('target = "nothing/*.png"\n', 'target: no file matches "nothing/*.png"'),
        ('target = ["photos/p1.npy", "photos/p1.npy"]\n', "views: p1.npy is there 2 times; a photograph counts once"),
        ('values = "short.csv"\n', "short.csv: has no row for p30.npy"),
        ('values = "rows.csv"\n', "values: sun.direction.x: found 3 rows, needed: 4, one for each view"),
        ('[values]\n"sun.direction" = "rows.txt"\n', "values: sun.direction: found 3 rows, needed: 4"),
        ('[values]\n"sun.direktion" = "directions.npy"\n', "values: no parameter \"sun.direktion\"; did you mean"),
        ('[values]\n"sun.direction" = "words.txt"\n', 'words.txt: row 2: found "0 x -1", needed: 3 numbers'),
        ('mask = "photos/p?.npy"\n', "mask: found 2 files, needed: 4, one for each target"),
        ('[each."sun.direction"]\nfoo = 1\n', "each: "),
    ],
)  # fmt: skip
def test_tables_and_patterns_that_cannot_be(folder, more, words):
    head = "file,sun.direction.x\n"
    (folder / "short.csv").write_text(head + "p1,1\np2,1\np10,1\n")
    (folder / "rows.csv").write_text("sun.direction.x\n1\n2\n3\n")
    (folder / "rows.txt").write_text("0 0 -1\n0 1 -1\n1 0 -1\n")
    (folder / "words.txt").write_text("0 0 -1\n0 x -1\n1 0 -1\n0 0 -1\n")
    path = written(folder, more if not more.startswith(("target", "[each")) else "")
    if more.startswith("target"):
        path.write_text(re.sub("target = .*\n", more, path.read_text()))
    if more.startswith("[each"):
        path.write_text(re.sub("each = .*\n", "", path.read_text()) + more)
        words = "sun.direction.foo: unknown key"
    with pytest.raises(InputError) as fault:
        read_problem(path)
    assert words in str(fault.value), str(fault.value)


def test_views_that_cannot_be():
    small = np.ones((SIZE, SIZE - 2, 3))
    refused("views.view4: target: found 22 x 24 pixels, needed: 24 x 24, as the camera has; a view of another size "
            "needs a camera of its own", target=[*TARGETS[:3], small])  # fmt: skip
    dark = np.zeros((SIZE, SIZE), bool)
    dark[0, 0] = True
    views = [{"target": t} for t in TARGETS]
    refused("views.view2: target: every pixel is black", target=[views[0], {**views[1], "mask": dark}])
    refused('views.view1: lights: found "moon"', target=[{**views[0], "lights": ["moon"]}, views[1]])
    refused('values: no parameter "sun.foo"', values={"sun.foo": STRENGTHS})
    refused("views.view1: values: no parameter \"moon.irradiance\"",
            target=[{**views[0], "values": {"moon.irradiance": 1.0}}, views[1]])  # fmt: skip
    refused("values: sun.irradiance: found 2 rows, needed: 4", values={"sun.irradiance": STRENGTHS[:2]})
    refused("free: every view has its own sun.irradiance; name it in each to free it",
            each=["sun.direction"], free=["sun.irradiance"], values={"sun.irradiance": STRENGTHS})  # fmt: skip
    refused("each: no parameter 'sun.direktion'; did you mean 'sun.direction'?", each=["sun.direktion"])
    refused("each: there is one view", target=TARGETS[0])
    refused("'sun.irradiance' is shared, and 'view1.sun.irradiance.r' a view's own",
            target=TARGETS[:1], each=["sun.irradiance.r"], free=["sun.irradiance"])  # fmt: skip


def test_a_view_without_influence_is_named(folder):
    behind = [{"target": target} for target in TARGETS[:2]]
    behind[1]["values"] = {"sun.direction": (0.0, 0.0, 1.0), "lamp.irradiance": 0.0}
    with pytest.raises(InputError, match=r"free: view2.sun.irradiance has no influence on the image at the start"):
        solve(problem(target=behind, each=["sun.irradiance"], free=[]))


@pytest.mark.slow
def test_a_command_fits_views(folder):
    import subprocess
    import sys

    pillow.fromarray(np.full((SIZE, SIZE), 255, np.uint8)).save(folder / "mask.png")
    path = written(folder, 'mask = "mask.png"\n[values]\n"sun.direction" = "directions.npy"\n')
    command = [sys.executable, "-m", "diffrt", "fit", path, "-o", folder / "out"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and "p10.sun.irradiance.b" in done.stdout, done.stderr
    again = [*command[:3], "fit", folder / "scene.toml", "--target", str(folder / "photos/*.npy"), "--each"]
    again += ["sun.irradiance", "--free", "ball.radius", "--values", "out/views.csv", "-o", "again"]
    repeated = subprocess.run(again, capture_output=True, text=True, cwd=folder)
    assert repeated.returncode == 0 and "p10.sun.irradiance.b" in repeated.stdout, repeated.stderr
    assert re.search(r"evaluation 3, .* s, about \d+ s left", done.stderr), done.stderr
