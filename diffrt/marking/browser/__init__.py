"""A derivation as one page for a browser: what is typed into its boxes is marked at once, without a server.

`exercise` is what the page knows: the points at which the program marks, and what is right there. `reader.js` reads
formulas, `arrays.js` computes them, `marker.js` compares, `hints.js` says why a line is wrong; `page.js` shows it all.
"""

from diffrt.marking.browser.exercise import exercise_of
from diffrt.marking.browser.page import page_of, script

__all__ = ["exercise_of", "page_of", "script"]
