"""Rough materials: closed forms, energy, an image that diffrt did not make, derivatives."""

from math import pi
from pathlib import Path

import numpy as np
import pytest
from test_edges import FLOOR, LAMP, ball, camera

from diffrt.autograd import pushforward
from diffrt.errors import InputError
from diffrt.kinds import RoughConductor, RoughMetal, RoughPlastic
from diffrt.kinds.materials.microfacets import conductor, dielectric, lobe, schlick
from diffrt.scene import parse_scene
from diffrt.tracer import jacobian, render
from diffrt.tracer.differences import compare

REFERENCE = Path(__file__).parent / "reference" / "gold.npz"
ETA, K = [0.14, 0.37, 1.44], [3.98, 2.38, 1.6]
GOLD = f'type = "rough_conductor", eta = {ETA}, k = {K}, alpha = %s'
UP = np.array([[0.0], [0.0], [1.0]])
ALPHAS = [0.01, 0.05, 0.2, 0.5, 1.0]


def column(*numbers: float) -> np.ndarray:
    return np.array(numbers, float).reshape(-1, 1)


def slanted(cosine: float) -> np.ndarray:
    return column(np.sqrt(1.0 - cosine * cosine), 0.0, cosine)


def materials(alpha: float) -> list:
    a = np.full(1, alpha)
    return [
        RoughConductor(eta=column(*ETA), k=column(*K), alpha=a),
        RoughMetal(reflectance=column(1.0, 1.0, 1.0), alpha=a),
        RoughPlastic(albedo=column(1.0, 1.0, 1.0), ior=np.full(1, 1.5), alpha=a),
        RoughPlastic(albedo=column(1.0, 0.0, 0.5), ior=np.full(1, 2.5), alpha=a),
    ]


def furnace(material, alpha: float, cosine: float) -> np.ndarray:
    """The radiance to a direction of this cosine under radiance 1 from everywhere, (3,): by quadrature.

    Facets first, where the highlight is: l = 2 (v . h) h - v with tan^2 of the angle of h at alpha^2 u / (1 - u). Then
    the rest, which is smooth, over cosines of l.
    """
    points, weights = np.polynomial.legendre.leggauss(200)
    u, w = 0.5 * (points + 1.0), 0.5 * weights
    turns = (np.arange(64) + 0.5) * (2.0 * pi / 64)
    v = slanted(cosine)
    tangent = alpha * np.sqrt(u / (1.0 - u))
    z = np.repeat(1.0 / np.sqrt(1.0 + tangent * tangent), 64)
    xy = np.repeat(tangent, 64) * z * np.stack([np.cos(np.tile(turns, 200)), np.sin(np.tile(turns, 200))])
    h, weight = np.concatenate([xy, z[None]]), np.repeat(w, 64) / 64
    along = (v * h).sum(0)
    there = along > 0.0
    light = (2.0 * along * h - v)[:, there]
    d = alpha**2 / (pi * (z * z * alpha**2 + (xy * xy).sum(0)) ** 2)
    measure = (weight * 4.0 * along / (d * z))[there] * np.maximum(light[2], 0.0)
    if not isinstance(material, RoughPlastic):
        return (material.brdf(UP, v, light) * measure).sum(1)

    def coat(light: np.ndarray) -> np.ndarray:
        share, facing = lobe(material.alpha, UP, v, light)
        return share * dielectric(facing, material.ior)

    points, weights = np.polynomial.legendre.leggauss(60)
    smooth = np.concatenate([slanted(0.5 * (c + 1.0)) for c in points], 1)
    base = material.brdf(UP, v, smooth) - coat(smooth)
    return (coat(light) * measure).sum() + (base * weights * smooth[2]).sum(1) * pi


@pytest.mark.parametrize("alpha", ALPHAS)
def test_a_facet_that_faces_eye_and_light_mirrors_as_its_distribution_says(alpha):
    """D(0) = 1 / (pi alpha^2), and G1 = 1."""
    share, cosine = lobe(np.full(1, alpha), UP, UP, UP)
    assert share == pytest.approx(1.0 / (4.0 * pi * alpha**2), rel=1e-14) and cosine == pytest.approx(1.0, rel=1e-15)


def test_fresnel_of_conductors_and_dielectrics_as_complex_arithmetic_has_it():
    cosine = np.linspace(0.0, 1.0, 101)
    for eta, k in [*zip(ETA, K, strict=True), (1.5, 0.0), (0.05, 4.2), (3.0, 3.0), (0.81, 0.0)]:
        n = complex(eta, k)
        inner = np.sqrt(1.0 - (1.0 - cosine**2) / n**2 + 0j)
        with np.errstate(all="ignore"):
            s, p = (cosine - n * inner) / (cosine + n * inner), (n * cosine - inner) / (n * cosine + inner)
        expected = 0.5 * (np.abs(s) ** 2 + np.abs(p) ** 2)
        assert conductor(cosine, eta, k) == pytest.approx(expected, rel=1e-9, abs=1e-12)
        if k == 0.0 and eta > 1.0:
            assert dielectric(cosine, eta) == pytest.approx(expected, rel=1e-12)
    assert schlick(np.array([1.0, 0.0, 0.5]), 0.04) == pytest.approx([0.04, 1.0, 0.04 + 0.96 / 32], rel=1e-14)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_no_material_gives_back_more_than_it_gets(alpha):
    for material in materials(alpha):
        for cosine in (0.02, 0.1, 0.3, 0.6, 0.9, 1.0):
            share = furnace(material, alpha, cosine)
            assert (share <= 1.0 + 1e-6).all(), (material, cosine, share)


def test_without_loss_a_smooth_surface_gives_back_nearly_all():
    for material in (materials(0.01)[1], materials(0.01)[2]):
        for cosine in (0.3, 0.6, 1.0):
            assert furnace(material, 0.01, cosine) == pytest.approx(np.ones(3), abs=0.03)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_light_from_everywhere_is_summed_to_about_a_hundredth(alpha):
    for material in materials(alpha):
        for cosine in (0.05, 0.2, 0.5, 0.8, 1.0):
            found = np.broadcast_to(material.ambient(UP, slanted(cosine)), (3, 1))[:, 0]
            assert found == pytest.approx(furnace(material, alpha, cosine), abs=0.025)


def test_eye_and_light_may_change_places():
    random = np.random.default_rng(0)
    v, light = random.normal(size=(2, 3, 50))
    v[2], light[2] = np.abs(v[2]), np.abs(light[2])
    v, light = v / np.linalg.norm(v, axis=0), light / np.linalg.norm(light, axis=0)
    for material in materials(0.3):
        assert material.brdf(UP, v, light) == pytest.approx(material.brdf(UP, light, v), rel=1e-12)


@pytest.mark.parametrize("alpha", [0.01, 0.3, 1.0])
def test_values_and_slopes_are_finite_at_grazing_angles_and_opposite_directions(alpha):
    cosines = [0.0, 1e-300, 1e-16, 1e-8, 1e-3, 1.0, -1e-8]
    v = np.concatenate([slanted(c) for c in cosines for _ in cosines], 1)
    light = np.concatenate([slanted(c) * column(-1, 1, 1) for _ in cosines for c in cosines], 1)
    light[:, 0] = -v[:, 0]
    for material in materials(alpha):

        def rough(alpha: object, material: object = material) -> object:
            return type(material)(**{**vars(material), "alpha": alpha})

        for formula in (
            lambda a, v, rough=rough: rough(a).brdf(UP, v, light),
            lambda a, v, rough=rough: rough(a).ambient(UP, v),
        ):
            with np.errstate(all="ignore"):
                value, slopes = pushforward(formula, [material.alpha, v], [[np.ones(1)], [np.ones(v.shape)]])
            assert np.isfinite(value).all() and (value >= 0.0).all()
            assert all(np.isfinite(s).all() for s in slopes)


@pytest.mark.parametrize("alpha", [0.3, 0.7])
def test_gold_is_as_another_renderer_has_it(alpha):
    """By Mitsuba 3.9.1 (roughconductor, ggx), 24 x 24 pixels, a point light, 4096 samples a pixel."""
    text = camera((0, 0.6, 4), (0, 0, 0), 24, 24).replace("45", "40")
    gold = ball((0, 0, 0), 1).replace('type = "lambert", albedo = 0.7', GOLD % alpha)
    image = render(parse_scene(text + gold + LAMP.replace("[2, 4, 3]", "[2, 3, 3]").replace("24", "20")), cells=4)
    reference = np.load(REFERENCE)[f"alpha {alpha}"]
    assert np.abs(image - reference).sum() < 0.002 * reference.sum()


SKY = '[lights.sky]\ntype = "ambient"\nradiance = 0.4\n'


@pytest.mark.parametrize(
    "material",
    [
        'type = "rough_metal", reflectance = [0.9, 0.6, 0.3], alpha = 0.4',
        pytest.param(GOLD % 0.3, marks=pytest.mark.slow),
        pytest.param(
            'type = "rough_plastic", albedo = [0.2, 0.5, 0.7], ior = 1.4, alpha = 0.35', marks=pytest.mark.slow
        ),
    ],
)
def test_the_derivative_by_every_number_of_a_material_and_of_its_place(material):
    shape = ball((0.11, 0.93, 0.07), 0.8).replace('type = "lambert", albedo = 0.7', material)
    scene = parse_scene(camera((0.1, 2, 6), (0, 0.7, 0), 8, 6) + FLOOR + shape + LAMP + SKY)
    assert render(scene).report.without_derivative == 0
    names = [p.path for p in scene.parameters() if p.path.startswith("ball.material.")]
    for found in compare(scene, [*names, "ball.center", "lamp.position"]):
        assert found.verdict == "right", found
    image, slopes = render(scene), jacobian(scene, names)
    assert np.abs(render(scene, engine="numpy") - image).max() < 1e-12 * image.max()
    assert np.abs(jacobian(scene, names, engine="numpy") - slopes).max() < 1e-11 * np.abs(slopes).max()


@pytest.mark.parametrize(
    ("material", "told"),
    [
        (GOLD % 0.0, "alpha: found 0.0, allowed: a number from 0.01"),
        (GOLD % 1.5, "alpha: found 1.5, allowed: a number from 0.01"),
        ((GOLD % 0.3).replace("3.98", "-3.98"), r"k: found \[-3.98, 2.38, 1.6\], allowed: three numbers"),
        ((GOLD % 0.3).replace("0.14", "0"), r"eta: found \[0, 0.37, 1.44\], allowed: three numbers"),
        (
            'type = "rough_plastic", albedo = 0.5, ior = 0.9, alpha = 0.3',
            "ior: found 0.9, allowed: a number from 1 to 3",
        ),
        ('type = "rough_metal", reflectance = 1.2, alpha = 0.3', "reflectance: found 1.2, allowed: three numbers"),
    ],
)
def test_a_number_that_no_material_has_is_told(material, told):
    with pytest.raises(InputError, match=rf"shapes\.ball\.material\.{told}") as fault:
        parse_scene(camera() + ball((0, 1, 0), 0.8).replace('type = "lambert", albedo = 0.7', material))
    assert len(fault.value.problems) == 1
