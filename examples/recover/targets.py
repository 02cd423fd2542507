"""Makes the targets of the examples in this folder from their truths: python examples/recover/targets.py

Each `truth.toml` is photographed: rendered with 4x4 cells per pixel, noise added, and stored with 8 bits; that of
`texture` as a fit sees it, one cell per pixel, without noise and as floats.
"""

from pathlib import Path

import numpy as np

import diffrt
from diffrt.image import Image
from diffrt.scene import Scene

HERE = Path(__file__).parent
NOISE = 0.004
"""Standard deviation of the noise, linear."""

SIDE = {"camera.position": [6.0, 1.2, 0.0]}
"""The true camera of the second view of two_views."""


def photographs(name: str, factor: int = 1) -> dict[str, Image]:
    """The targets of an example by file name; `factor` times smaller than its camera says."""
    scene = diffrt.load_scene(HERE / name / "truth.toml")
    width, height = scene.camera.size
    scene = scene.replace(width=width // factor, height=height // factor)
    if name == "texture":
        return {"target.npy": diffrt.render(scene)}
    if name == "two_views":
        return {"front.png": photograph(scene), "side.png": photograph(scene.replace(SIDE), seed=1)}
    # Nobody told the exposure of these two.
    exposure = {"matte_ball": 2.2, "light_from_shadow": 0.7}.get(name, 1.0)
    return {"target.png": photograph(scene, exposure)}


def photograph(scene: Scene, exposure: float = 1.0, seed: int = 0) -> Image:
    """An image of a scene with noise."""
    image = exposure * np.asarray(diffrt.render(scene, cells=4))
    return Image(np.clip(image + NOISE * np.random.default_rng(seed).normal(size=image.shape), 0.0, None))


if __name__ == "__main__":
    for folder in sorted(path.parent for path in HERE.glob("*/truth.toml")):
        for name, image in photographs(folder.name).items():
            image.save(folder / name)
            print(folder.name, name)
