"""One pixel of the 4x3 ray tracer: its whole graph, its derivative by the lamp's height, and a derivation by hand.

python examples/lecture/pixel.py [pixel.dot]
"""

import sys
from pathlib import Path

from diffrt import load_scene
from diffrt.explaining import dot_of, forward_text, trace
from diffrt.explaining.text import explain_text
from diffrt.marking import load_derivation

HERE = Path(__file__).parent
graph = trace(load_scene(HERE.parents[1] / "scenes" / "tiny.toml"), (2, 0), "r", edges="ignore")
print(f"the whole graph, {len(graph.nodes)} nodes\n{forward_text(graph)}\n")
if sys.argv[1:]:
    Path(sys.argv[1]).write_text(dot_of(graph), encoding="utf-8")

steps = graph.steps()
print(explain_text(steps, steps["lamp.position"], 1), "\n")
print(load_derivation(HERE / "pixel_by_hand.toml").mark())
