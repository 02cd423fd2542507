"""Do error bars hold? Fits of many simulated photographs whose truth is known.

Each case makes targets of a ball of its own under a light of its own, and adds what the fit does not know of. Printed
is how often an interval of 90 % holds the truth, over all numbers, and beside it with errors as for independent
residuals.

    python benchmarks/bench_errors.py --targets 200
"""

import argparse
from collections.abc import Callable

import numpy as np
from scipy.ndimage import gaussian_filter

import diffrt
from diffrt.fitting.uncertainty import uncertainty
from diffrt.kinds import Bitmap, BlinnPhong, DirectionalLight, Lambert, Perspective, Sphere

SIDE = 48
NORMAL_90 = 1.645

Array = np.ndarray


def scene_of(rng: np.random.Generator, material: object) -> diffrt.Scene:
    """A ball under a light from somewhere in front."""
    angle, away = rng.uniform(0.0, 2.0 * np.pi), rng.uniform(0.3, 0.9)
    return diffrt.Scene(
        camera=Perspective(position=[0, 0, 5.0], target=[0, 0, 0], width=SIDE, height=SIDE, fov=30.0),
        shapes={"ball": Sphere(center=[*rng.uniform(-0.05, 0.05, 2), 0.0], radius=1.0, material=material)},
        lights={"sun": DirectionalLight([-away * np.cos(angle), -away * np.sin(angle), -1.0], 2.0)},
    )


def matte(rng: np.random.Generator) -> Lambert:
    return Lambert(albedo=rng.uniform(0.3, 0.8, 3))


def white(rng: np.random.Generator) -> tuple[diffrt.Scene, diffrt.Scene, Array]:
    """Independent noise."""
    scene = scene_of(rng, matte(rng))
    return scene, scene, 0.01 * rng.normal(size=(SIDE, SIDE, 3))


def smoothed(rng: np.random.Generator) -> tuple[diffrt.Scene, diffrt.Scene, Array]:
    """Noise that is correlated over 4 pixels: of white noise the mean of 4 x 4."""
    scene = scene_of(rng, matte(rng))
    noise = rng.normal(size=(SIDE + 3, SIDE + 3, 3))
    windows = np.lib.stride_tricks.sliding_window_view(noise, (4, 4), (0, 1))
    return scene, scene, 0.01 * windows.mean((-1, -2)) * 4.0


def gray(rng: np.random.Generator) -> tuple[diffrt.Scene, diffrt.Scene, Array]:
    """A gray photograph: its three channels have the same noise."""
    scene = scene_of(rng, Lambert(albedo=[rng.uniform(0.3, 0.8)] * 3))
    return scene, scene, 0.01 * rng.normal(size=(SIDE, SIDE, 1)).repeat(3, 2)


def highlight(rng: np.random.Generator) -> tuple[diffrt.Scene, diffrt.Scene, Array]:
    """A highlight that the model does not have."""
    scene = scene_of(rng, matte(rng))
    gloss = BlinnPhong(
        albedo=scene["ball.material.albedo"], specular=rng.uniform(0.05, 0.2), shininess=rng.uniform(50.0, 300.0)
    )
    return scene, scene.replace({"ball.material": gloss}), 0.003 * rng.normal(size=(SIDE, SIDE, 3))


def texture(rng: np.random.Generator) -> tuple[diffrt.Scene, diffrt.Scene, Array]:
    """A little texture, 3 % of the albedo, over a few pixels, that the model does not have."""
    scene = scene_of(rng, matte(rng))
    return scene, painted(rng, scene, 0.03, 24, 1.0), 0.003 * rng.normal(size=(SIDE, SIDE, 3))


def albedo_map(rng: np.random.Generator) -> tuple[diffrt.Scene, diffrt.Scene, Array]:
    """An albedo map that is off by 5 %, in patches of about 40 degrees of the ball."""
    scene = scene_of(rng, matte(rng))
    return scene, painted(rng, scene, 0.05, 14, 1.0), 0.003 * rng.normal(size=(SIDE, SIDE, 3))


def broad(rng: np.random.Generator) -> tuple[diffrt.Scene, diffrt.Scene, Array]:
    """The same, in patches of about 75 degrees: the fit takes most of them for its own numbers."""
    scene = scene_of(rng, matte(rng))
    return scene, painted(rng, scene, 0.05, 8, 1.0), 0.003 * rng.normal(size=(SIDE, SIDE, 3))


def painted(rng: np.random.Generator, scene: diffrt.Scene, part: float, texels: int, blur: float) -> diffrt.Scene:
    """The scene with a map on the ball whose mean is its albedo."""
    field = gaussian_filter(rng.normal(size=(texels, 2 * texels)), blur, mode="wrap")
    values = 1.0 + part * (field - field.mean()) / field.std()
    material = Lambert(albedo=Bitmap(texels=values[..., None] * scene["ball.material.albedo"]))
    return scene.replace({"ball.material": material})


CASES: dict[str, Callable[[np.random.Generator], tuple[diffrt.Scene, diffrt.Scene, Array]]] = {
    "white": white, "smoothed": smoothed, "gray": gray, "highlight": highlight, "texture": texture, "map": albedo_map,
    "broad": broad,
}  # fmt: skip

FREE = ("ball.center.x", "ball.center.y", "ball.radius", "ball.material.albedo", "sun.direction")


def held(found: diffrt.fitting.Result, truth: Array) -> tuple[Array, Array]:
    """Whether the intervals of 90 % hold the truth, with the fit's errors and with those of independent residuals."""
    off = np.abs(found.values - truth)
    triangle, variables = found.found.triangle, found.problem.variables
    plain = uncertainty(
        triangle.jacobian, triangle.residual, variables.labels, None, triangle.count,
        variables.slopes(found.found.u), variables.components,
    )  # fmt: skip
    return off <= NORMAL_90 * found.uncertainty.stderr, off <= NORMAL_90 * plain.stderr


def run(case: str, targets: int, seed: int = 0) -> str:
    """A line of the table."""
    own, plain, fair, scores, untold, unexplained, widened, lengths = [], [], [], [], 0, 0, [], []
    for number in range(targets):
        rng = np.random.default_rng([seed, number])
        model, true, noise = CASES[case](rng)
        target = np.asarray(diffrt.render(true)) + noise
        found = diffrt.fit(model, target, FREE, levels=())
        truth = model.pack(FREE)
        truth[-3:] *= np.linalg.norm(found.values[-3:]) / np.linalg.norm(truth[-3:])
        a, b = held(found, truth)
        # A direction has two numbers, so its largest component, which hardly moves, is left out.
        kept = np.arange(len(truth)) != len(truth) - 3 + int(np.abs(truth[-3:]).argmax())
        own.append(a[kept])
        plain.append(b[kept])
        scores.append(((found.values - truth) / found.uncertainty.stderr)[kept])
        fair.append(a[kept] | (not found.misfit.told))
        untold += not found.misfit.told
        unexplained += not found.misfit.explained
        widened.append(found.uncertainty.widened)
        lengths.append(found.misfit.length)
    return (
        f"{case:<10} {100 * np.mean(own):5.1f} %, at least {100 * np.mean(own, 0).min():5.1f} %; "
        f"independent {100 * np.mean(plain):5.1f} %; held or not told {100 * np.mean(fair):5.1f} %; "
        f"off by {np.sqrt(np.mean(np.square(scores))):4.2f} errors; widened {np.median(widened):4.1f}; "
        f"smooth over {np.median(lengths):4.1f}; not explained {100 * unexplained / targets:3.0f} %; "
        f"not told {100 * untold / targets:3.0f} %"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--targets", type=int, default=200)
    parser.add_argument("--case", choices=list(CASES), action="append")
    given = parser.parse_args()
    for case in given.case or CASES:
        print(run(case, given.targets), flush=True)


if __name__ == "__main__":
    main()
