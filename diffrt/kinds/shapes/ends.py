"""Where a round wall ends.

A ray meets a wall at a root with s = sqrt(square) in it, and how far that is along the axis is a number less c s. So
an end of the wall is a comparison c s > w. Where the outline of the wall runs into its rim, s is zero, and there its
slope has no bound; s^2 is smooth. As x |x| grows with x, the comparison is also that of the squares with their signs,

    c |c| s^2 - w |w| > 0,

and divided by |c| size + |w|, size a length such as s has, this has a slope where c is zero too: there it is -w.
"""

from typing import Any

from diffrt.autograd import absolute, maximum


def exceeds(c: Any, square: Any, w: Any, size: Any) -> Any:
    """A smooth number that is positive where c sqrt(square) > w, (N,)."""
    return (c * absolute(c) * square - w * absolute(w)) / maximum(absolute(c) * size + absolute(w), 1e-200)
