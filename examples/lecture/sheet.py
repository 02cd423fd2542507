"""The graph of a whole ray tracer on one sheet: twelve pixels, a red ball on a grey floor, a lamp.

    python examples/lecture/sheet.py [FOLDER]

Each pixel is a block of a few named steps: the ray d, the distance t, the point p, the normal n, the vector w to the
lamp, the cosine, the light that comes back. What all of them share, camera, ball, floor and lamp, stands once, at the
left. The same tracer on one row of numbers for all pixels is `examples/tiny/by_hand.py`.

Writes sheet.svg, for A3; sheet_one_pixel.svg, the same with one pixel lit; sheet.html, in which lamp and ball are found
from the twelve pixels, with the sheet and the picture at every step; and descent.svg, the pictures alone.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from diffrt import load_scene, render
from diffrt.autograd import cross, maximum, named, norm, normalize, scope, sqrt, sum, variable, where
from diffrt.autograd.naming import watch_scopes
from diffrt.explaining import graph_of
from diffrt.explaining.drawing import Canvas
from diffrt.explaining.frames import Frames, panels
from diffrt.explaining.sheet import sheet_of
from diffrt.image import srgb_levels

HERE = Path(__file__).parent
SCENE = load_scene(HERE.parents[1] / "scenes" / "tiny.toml")
WIDTH, HEIGHT = SCENE.camera.size
A3 = (420.0, 297.0)
FREE = ("lamp.position", "ball.center")
START = np.array([0.4, 3.1, 1.9, 0.18, 1.03, 0.37])
TITLE = "A whole ray tracer: twelve pixels, their light, and how far it is from the target"
PLACES = {f"pixel {x},{y}": (y, x) for y in range(HEIGHT) for x in range(WIDTH)}


def axes(scene):
    """Right, up and forward of the camera, as columns, such that x, y and 1 give a ray: 3 x 3."""
    view = scene.camera
    forward = normalize(np.subtract(view.target, view.position))
    right = normalize(cross(forward, np.array(view.up)))
    pixel = 2.0 * np.tan(np.radians(view.fov) / 2.0) / HEIGHT
    return np.stack([pixel * right, pixel * cross(right, forward), forward], axis=1)


def leaves(scene, unknowns=None):
    """What the pixels share, as variables."""
    values = {
        "camera.position": scene["camera.position"], "camera.axes": axes(scene),
        "ball.center": scene["ball.center"], "ball.radius": scene["ball.radius"],
        "ball.albedo": scene["ball.material.albedo"], "floor.albedo": scene["floor.material.albedo"],
        "lamp.position": scene["lamp.position"], "lamp.intensity": scene["lamp.intensity"],
    }  # fmt: skip
    if unknowns is not None:
        values |= dict(zip(FREE, np.split(np.asarray(unknowns), 2), strict=True))
    return {name: variable(np.array(value, float) if np.ndim(value) else float(value), name)
            for name, value in values.items()}  # fmt: skip


def ball_hit(origin, direction, center, radius):
    """How far the ball is, in lengths of d, and a number that is positive on a hit: |o + t d - c|^2 = r^2, for t."""
    a, b = sum(direction * direction), sum((center - origin) * direction)
    inside = b * b - a * (sum((center - origin) ** 2) - radius * radius)
    hit = inside > 0.0
    return (b - where(hit, sqrt(where(hit, inside, 1.0)), 0.0)) / a, inside


def pixel(shared, x, y):
    """The light that one pixel gets, red, green and blue."""
    eye, center, radius = (shared[n] for n in ("camera.position", "ball.center", "ball.radius"))
    lamp, intensity = shared["lamp.position"], shared["lamp.intensity"]
    place = np.array([x + 0.5 - WIDTH / 2, HEIGHT / 2 - y - 0.5, 1.0])
    d = named(shared["camera.axes"] @ place, "d")
    t, inside = ball_hit(eye, d, center, radius)
    if inside.value > 0.0:
        t = named(t, "t")
        p = named(eye + t * d, "p")
        n, albedo = named((p - center) / radius, "n"), shared["ball.albedo"]
    else:
        p = named(eye - eye[1] / d[1] * d, "p")
        n, albedo = np.array([0.0, 1.0, 0.0]), shared["floor.albedo"]
    w = named(lamp - p, "w")
    t_shadow, blocked = ball_hit(p, w, center, radius)
    lit = inside.value > 0.0 or blocked.value <= 0.0 or t_shadow.value <= 0.0
    cosine = named(where(lit, maximum(sum(n * w) / norm(w), 0.0), 0.0), "cosine")
    return named(albedo / np.pi * intensity * cosine / sum(w * w), "light")


def trace(shared):
    """Twelve pixels, in rows."""
    found = []
    for y in range(HEIGHT):
        for x in range(WIDTH):
            with scope(f"pixel {x},{y}"):
                found.append(pixel(shared, x, y))
    return found


def image(pixels):
    """The picture as an array, HEIGHT x WIDTH x 3."""
    return np.array([p.value for p in pixels]).reshape(HEIGHT, WIDTH, 3)


TARGET = image(trace(leaves(SCENE)))


def graph_at(unknowns):
    """The graph of the loss, how far twelve pixels are from the target, in named steps; and the picture."""
    with watch_scopes() as scopes:
        pixels = trace(leaves(SCENE, unknowns))
        loss = 0.0
        for p, wanted in zip(pixels, TARGET.reshape(-1, 3), strict=True):
            loss = loss + sum((p - wanted) ** 2)
        loss = named(loss, "loss")
    return graph_of(loss, scopes, constants=False).steps(), image(pixels)


def colours(picture):
    """Of the pixels, for the sheet."""
    return {name: "#" + "".join(f"{v:02x}" for v in srgb_levels(picture[place])) for name, place in PLACES.items()}


def thumb(picture, caption=""):
    """The picture as a figure of twelve squares."""
    canvas = Canvas()
    for name, (row, column) in PLACES.items():
        canvas.rect(30.0 * column, 30.0 * row, 30.0, 30.0, colours(picture)[name])
    return canvas.figure((30.0 * WIDTH, 30.0 * HEIGHT), caption)


def notes(graph):
    """What no formula of a line says."""
    found = {n.name: ["the smaller t at which |p - c| = r"] for n in graph.nodes if n.name.startswith("t (")}
    return found | {"loss": ["sum of |light - target|^2"]}


def sheet(unknowns, line="", only=None):
    """The graph at some lamp and ball. line: at the foot. only: the pixel that is lit."""
    graph, picture = graph_at(unknowns)
    lit = None
    if only is not None:
        block = [n for n in graph.nodes if f"pixel {only[0]},{only[1]}" in n.scope]
        shared = {e.source.name for n in block for e in graph.edges_to(n)}
        lit = {n.name for n in block} | shared | {"loss"}
    figure = sheet_of(
        graph, PLACES, TITLE, A3, colours(picture), lit, notes(graph), [line] if line else (), thumb(picture)
    )
    return graph, figure


def descend(start=START):
    """From the twelve pixels back to the lamp and the ball: the six numbers at every step of BFGS."""
    steps = [np.array(start)]

    def loss(unknowns):
        graph, _ = graph_at(unknowns)
        scale = 1e3  # BFGS begins with a step of the size of the gradient
        return scale * graph.output.value, scale * np.concatenate([graph.gradient(graph[name]) for name in FREE])

    minimize(loss, start, jac=True, method="BFGS", callback=lambda x: steps.append(x.copy()), options={"gtol": 1e-6})
    return steps


def frames():
    """The sheet at every step of the descent, with its picture."""
    figures, thumbs = [], []
    for k, unknowns in enumerate(descend()):
        lamp, ball = (", ".join(f"{v:.4f}" for v in part) for part in np.split(unknowns, 2))
        loss = graph_at(unknowns)[0].output.value
        line = f"step {k}:  lamp {lamp};  ball {ball};  loss {loss:.2e}"
        figures.append(replace(sheet(unknowns, line)[1], caption=line))
        thumbs.append(thumb(graph_at(unknowns)[1], line))
    words = "Each step moves the lamp and the ball against the gradient of the loss, which is written in their boxes."
    return Frames(figures, TITLE, thumbs, words)


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    graph, figure = sheet(START)
    print(f"{len(graph.nodes)} named nodes; the smallest text on A3 has {figure.smallest_on(A3):.2f} pt")
    apart = np.abs(TARGET - np.asarray(render(SCENE, edges="ignore"))).max()
    print(f"the picture is that of diffrt.render to {apart:.0e}")
    figure.save(folder / "sheet.svg")
    sheet(START, "one pixel: what its light is made from", (2, 0))[1].save(folder / "sheet_one_pixel.svg")

    steps = frames()
    print(f"{len(steps.figures) - 1} steps: {steps.figures[0].caption}\n  to {steps.figures[-1].caption}")
    panels(steps.thumbs, 6, "The picture at every step").save(folder / "descent.svg")
    steps.save(folder / "sheet.html")


if __name__ == "__main__":
    main(Path(sys.argv[1] if sys.argv[1:] else "lecture"))
