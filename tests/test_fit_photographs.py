"""Fits of photographs: a part of a picture, masks that leave little, lenses, and what the camera says."""

import numpy as np
import pytest
from PIL import Image as pillow

import diffrt
from diffrt.errors import InputError
from diffrt.fitting import make_problem, read_problem
from diffrt.fitting.evaluation import Objective
from diffrt.fitting.level import Level
from diffrt.fitting.pictures import pictures_of
from diffrt.fitting.residual import sights
from diffrt.photograph import Photograph
from diffrt.scene import load_scene

SCENE = load_scene("scenes/still_life.toml").replace(width=64, height=48)
TARGET = np.asarray(diffrt.render(SCENE))
ROWS, COLUMNS = np.indices(TARGET.shape[:2]) + 0.5
DISK = np.hypot(COLUMNS - 33.0, ROWS - 26.0) < 9.5
FREE = ["ball.center", "lamp.position"]


def triangle(problem, level=None):
    """R of [J r] at the start, with positive diagonal, and the number of residuals."""
    found = Objective(problem.variables, sights(problem.views, level or Level(), problem.settings)).triangle(
        problem.variables.start
    )
    folded = np.column_stack([found.jacobian, found.residual])
    return folded * np.sign(np.diag(folded))[:, None], found.count


def test_a_masked_fit_sees_what_the_whole_image_has_in_its_mask():
    """The residuals and derivatives of a fit that renders little are those of a fit that renders all."""
    free = {"ball.center": {"start": [0.1, 0.9, 0.2]}, "lamp.position": {}}
    problem = make_problem(SCENE, TARGET, free, mask=DISK)
    u = problem.variables.start

    def whole(v):
        image = diffrt.render(SCENE.replace(problem.variables.assign(v)))
        return (image - TARGET) * DISK[..., None]

    off = np.asarray(whole(u))
    columns = [np.asarray(diffrt.autograd.jvp(whole, (u,), (e,))[1]) for e in np.eye(len(u))]
    stacked = np.stack([*columns, off], -1)[DISK].reshape(-1, len(u) + 1)
    expected = np.linalg.qr(stacked, mode="r")
    expected *= np.sign(np.diag(expected))[:, None]
    found, count = triangle(problem)
    assert count == 3 * DISK.sum()
    assert np.abs(found - expected).max() < 1e-10 * np.abs(expected).max()


def test_a_masked_fit_renders_the_part_that_counts_alone():
    problem = make_problem(SCENE, TARGET, FREE, mask=DISK)
    (view,) = problem.views
    assert view.used.shape == (48, 64) and view.counted.used.shape == (18, 18)
    assert view.counted.scene.camera.crop == (24, 17, 18, 18) and problem.scene.camera.crop == ()
    assert [s.target.shape for s in sights(problem.views, Level(), problem.settings)] == [(18, 18, 3)]
    everything = make_problem(SCENE, TARGET, FREE)
    assert everything.views[0].counted is everything.views[0]


def test_the_part_that_counts_can_be_made_smaller_by_whole_factors():
    mask = np.zeros((48, 64), bool)
    mask[5:46, 3:61] = True  # 41 x 58
    problem = make_problem(SCENE, TARGET, FREE, mask=mask)
    assert problem.views[0].counted.used.shape == (42, 58)
    assert {level.factor for level in problem.levels} == {1, 2}
    assert problem.views[0].counted.used.sum() == mask.sum()


def test_a_masked_fit_of_a_crop_is_the_same_again():
    crop = SCENE.replace(crop=(10, 6, 45, 40))
    part = slice(6, 46), slice(10, 55)
    cut, plain = (
        make_problem(scene, target, FREE, mask=mask)
        for scene, target, mask in ((crop, TARGET[part], DISK[part]), (SCENE, TARGET, DISK))
    )
    assert cut.views[0].counted.scene == plain.views[0].counted.scene
    for level in (Level(), Level(1, 3.0)):
        one, other = triangle(cut, level)[0], triangle(plain, level)[0]
        assert np.abs(one - other).max() < 1e-12 * np.abs(other).max()


def test_a_crop_is_fitted_on_coarse_levels_like_a_smaller_picture():
    scene = SCENE.replace(crop=(10, 4, 48, 40))
    target = diffrt.render(scene)
    found = diffrt.fit(scene, target, {"ball.center": {"start": [0.5, 0.8, -0.3]}})
    assert len({step.level for step in found.history}) > 1
    assert found.values == pytest.approx(SCENE["ball.center"], abs=1e-9)
    assert found.scene.camera.crop == (10, 4, 48, 40)


@pytest.mark.slow
def test_a_lens_and_a_principal_point_are_recovered():
    lens = {"camera.k1": -0.15, "camera.k2": 0.03, "camera.principal_point": (0.02, -0.03)}
    target = diffrt.render(SCENE.replace(lens))
    found = diffrt.fit(SCENE, target, ["camera.k1", "camera.k2", "camera.principal_point"])
    assert found.values == pytest.approx([-0.15, 0.03, 0.02, -0.03], abs=1e-8)


@pytest.mark.slow
def test_a_lens_that_would_show_things_twice_is_no_step():
    """From a start from which the first steps go beyond what a lens can be, the fit goes on."""
    target = diffrt.render(SCENE.replace({"camera.k1": -0.3}))
    scene = SCENE.replace({"camera.k1": 0.5})
    found = diffrt.fit(scene, target, ["camera.k1"])
    assert found.values == pytest.approx([-0.3], abs=1e-8)


def developed(image, vignetting, response):
    """A photograph with darker corners, by a camera with another curve."""
    height, width = image.shape[:2]
    rows, columns = np.indices((height, width)) + 0.5
    away = (columns - 0.5 * width) ** 2 + (rows - 0.5 * height) ** 2
    return np.maximum(image * (1.0 - vignetting * away / (0.25 * (width**2 + height**2)))[..., None], 1e-6) ** response


def test_darker_corners_and_the_curve_of_a_camera_are_recovered():
    """Of the whole picture, also where a mask leaves little of it, and of a crop; views by one camera share them."""
    free = {"ball.center": {"start": [-0.8, 0.9, 0.1]}, "lamp.intensity.r": {"start": 20.0}}
    white = {"lamp.intensity.g": "lamp.intensity.r", "lamp.intensity.b": "lamp.intensity.r"}
    target = developed(TARGET, 0.35, 1.15)
    how = {"vignetting": True, "response": True}
    mask = (COLUMNS < 36.0) & (ROWS > 14.0)
    part = SCENE.replace(crop=(4, 12, 40, 32))
    cut = target[12:44, 4:44]
    dim = developed(np.asarray(diffrt.render(SCENE.replace({"lamp.intensity": 9.0}))), 0.35, 1.15)
    both = diffrt.fit(SCENE, [target, dim], ["ball.center"], each=["lamp.intensity.r"], ties=white, **how)
    for found in (
        diffrt.fit(SCENE, target, free, ties=white, mask=mask, **how),
        diffrt.fit(part, cut, free, ties=white, **how),
        both,
    ):
        assert found.parameters["vignetting"] == pytest.approx(0.35, abs=1e-5)
        assert found.parameters["response"] == pytest.approx(1.15, abs=1e-5)
    assert both.parameters["view2.lamp.intensity.r"] == pytest.approx(9.0, rel=1e-5)


def test_a_camera_of_its_own_has_corners_of_its_own():
    side = SCENE.replace({"camera.position": [2.0, 2.0, 5.5]})
    views = {"front": {"target": TARGET}, "side": {"target": TARGET, "camera": side}}
    problem = make_problem(SCENE, views, ["ball.center"], vignetting=True)
    assert problem.variables.components[-2:] == ("vignetting", "side.vignetting")
    with pytest.raises(InputError, match=r"vignetting: found 0\.3, allowed: true or false"):
        make_problem(SCENE, TARGET, FREE, vignetting=0.3)


def test_pictures_show_the_part_that_counts():
    found = diffrt.fit(SCENE, TARGET, FREE, mask=DISK, levels=(), iterations=2)
    pictures, _ = pictures_of(found, 0)
    assert {picture.shape for picture in pictures.values()} == {(18, 18, 3)}
    assert np.abs(np.asarray(pictures["result"]) - TARGET[17:35, 24:42]).max() < 1e-9


def photograph(dark=False, bright=False, alpha=None):
    full = np.full(TARGET.shape, True)
    return Photograph(diffrt.Image(TARGET), full & dark, full & bright, 0.001, 0.5, alpha)


def test_transparent_pixels_do_not_count():
    alpha = np.where(DISK, 1.0, 0.4)
    problem = make_problem(SCENE, photograph(alpha=alpha), FREE, mask=COLUMNS < 33)
    assert np.array_equal(problem.views[0].used, DISK & (COLUMNS < 33))


def refused(make):
    with pytest.raises(InputError) as fault:
        make()
    (line,) = fault.value.problems
    return line


def test_a_photograph_of_which_nothing_is_known_is_refused():
    clipped = refused(lambda: make_problem(SCENE, photograph(bright=DISK[..., None]), FREE, mask=DISK))
    assert clipped == "target: every pixel is clipped, and says only that there is more or less light"
    unseen = refused(lambda: make_problem(SCENE, photograph(alpha=np.where(DISK, 0.9, 1.0)), FREE, mask=DISK))
    assert unseen == "target: is transparent wherever it counts; nothing can be recovered from it"


# Fit files.


def files(folder, **keys):
    """A fit file of a photograph on film of 36 x 24 mm through 50 mm, of 48 x 32 pixels."""
    SCENE.replace(width=48, height=32).save(folder / "scene.toml")
    exif = pillow.Exif()
    exif.get_ifd(0x8769)[0xA405] = 50
    levels = np.rint(255 * np.clip(TARGET[:32, :48], 0, 1)).astype(np.uint8)
    pillow.fromarray(levels).save(folder / "front.jpg", exif=exif)
    pillow.fromarray(levels[:, :40]).save(folder / "side.png")
    lines = {"scene": '"scene.toml"', "target": '"front.jpg"', "free": '["ball.center"]', **keys}
    views = lines.pop("views", "")
    text = "\n".join(f"{key} = {value}" for key, value in lines.items() if value)
    (folder / "fit.toml").write_text(f"{text}\n{views}")
    return folder / "fit.toml"


FOV = np.degrees(2 * np.arctan(12 / 50))


def test_the_field_of_view_is_that_of_the_photograph_and_is_told(tmp_path):
    problem = read_problem(files(tmp_path, fov='"exif"'))
    assert problem.scene["camera.fov"] == pytest.approx(FOV)
    (note,) = problem.views[0].photograph.notes
    assert note == f"{tmp_path}/front.jpg: fov = 26.991 degrees, from its 35 mm equivalent focal length of 50 mm"


def test_a_view_takes_its_size_and_its_field_of_view_from_its_photograph(tmp_path):
    camera = "camera = { position = [0, 2, 6], target = [0, 0.7, 0]"
    views = f"""
[views.front]
target = "front.jpg"
fov = "exif"
{camera} }}
[views.side]
target = "side.png"
{camera}, fov = 40 }}
"""
    front, side = read_problem(files(tmp_path, target="", views=views)).views
    assert front.scene.camera.size == (48, 32) and front.scene["camera.fov"] == pytest.approx(FOV)
    assert side.scene.camera.size == (40, 32) and side.scene["camera.fov"] == 40.0


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({"target": '"side.png"'}, "target: found 40 x 32 pixels, needed: 48 x 32, as the camera has"),
        ({"fov": "50"}, 'fov: found 50; allowed: "exif"; degrees belong into the camera'),
        ({"target": '"side.png"', "fov": '"exif"'}, 'side.png: found fov = "exif", but the file says no focal length'),
        ({"bits": "12"}, "front.jpg: found bits = 12 for a file of 8 bits"),
        ({"bits": "[1]"}, "bits: found [1]; allowed: a whole number from 8 to 16"),
        (
            {"target": "", "views": '[views.a]\ntarget = "side.png"\ncamera = { position = [0, 2, 6], target = '
             '[0, 0, 0], fov = 40, width = 48, height = 32, crop = [20, 0, 40, 32] }'},
            "views.a.camera.crop: found [20, 0, 40, 32], allowed: a part of the picture",
        ),
        (
            {"target": "", "views": '[views.a]\ntarget = "side.png"\ncamera = { position = [0, 2, 6], target = '
             '[0, 0, 0], fov = 40, crop = [2, 0, 40, 32] }'},
            "views.a.camera.width: missing; needed: a whole number from 1 to 16384",
        ),
    ],
)  # fmt: skip
def test_what_a_fit_file_says_wrongly_of_a_photograph_is_told(tmp_path, keys, line):
    with pytest.raises(InputError) as fault:
        read_problem(files(tmp_path, **keys))
    assert any(line in problem for problem in fault.value.problems)


def test_what_was_noticed_in_a_file_is_among_the_notes_of_a_fit(tmp_path):
    levels = np.rint(4095 * np.clip(TARGET, 0, 1)).astype(np.uint16)
    np.save(tmp_path / "a.npy", levels)
    found = diffrt.fit(SCENE, tmp_path / "a.npy", ["ball.center"], exposure=True, levels=(), iterations=1)
    assert any("12 bits" in note for note in found.warnings) and "note: " in str(found)
