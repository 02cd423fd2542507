"""One pixel of the 4x3 ray tracer: its whole graph, its derivative by the lamp's height, and a derivation by hand.

    python examples/lecture/pixel.py [FOLDER]

Writes pixel.svg, the steps from the lamp to the pixel; pixel.html, the graph to play with; pixel_paths.html, in which
the paths of the derivative are lit one after another; and pixel.dot.
"""

import sys
from pathlib import Path

from diffrt import explain, load_scene
from diffrt.explaining import dot_of, forward_text, trace
from diffrt.explaining.drawing import figure_of
from diffrt.explaining.frames import Frames, figures_of_paths
from diffrt.explaining.text import explain_text
from diffrt.marking import load_derivation

HERE = Path(__file__).parent
SCENE = load_scene(HERE.parents[1] / "scenes" / "tiny.toml")
TITLE = "Pixel 2,0 by the height of the lamp"


def steps():
    """What lies between the lamp and the pixel."""
    return explain(SCENE, (2, 0), "lamp.position.y", channel="r", edges="ignore").graph


def frames():
    """The paths from the lamp's height to the pixel."""
    between = steps()
    return Frames(figures_of_paths(between, between["lamp.position"], 1), TITLE)


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    graph = trace(SCENE, (2, 0), "r", edges="ignore")
    print(f"the whole graph, {len(graph.nodes)} nodes\n{forward_text(graph)}\n")
    named = graph.steps()
    print(explain_text(named, named["lamp.position"], 1), "\n")
    print(load_derivation(HERE / "pixel_by_hand.toml").mark())

    figure_of(steps(), title=TITLE).save(folder / "pixel.svg")
    frames().save(folder / "pixel_paths.html")
    explain(SCENE, (2, 0), "lamp.position.y", channel="r").save(folder / "pixel.html")
    (folder / "pixel.dot").write_text(dot_of(graph), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1] if sys.argv[1:] else "lecture"))
