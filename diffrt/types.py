"""Types that say shapes: what the functions that users call take, and what they give.

    Array       floats, of any shape
    Scalar      one number, ()
    Vec3        a point or a direction, (3,); some of its numbers may be Vars
    Colour      red, green and blue, (3,), or one number for gray
    Numbers     one, or as many as something else has, (n,)
    Names       of parameters: one, or several; a pattern such as "ball.*" stands for all that it matches
    Pixels      the linear RGB of an image, (height, width, 3)
    Rendered    an Image, or, of a scene that holds Vars, a Var (height, width, 3)

A number or an array is a value; a Var is one whose derivative is wanted.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from diffrt.autograd import Var
from diffrt.image import Image

Array: TypeAlias = NDArray[np.float64]
Numbers: TypeAlias = float | Sequence[float] | Array
Scalar: TypeAlias = float | Var
Vec3: TypeAlias = Sequence[float | Var] | NDArray[np.floating | np.integer] | Var
Colour: TypeAlias = Scalar | Vec3
Names: TypeAlias = str | Iterable[str]
Pixels: TypeAlias = Array

EngineName: TypeAlias = Literal["llvm", "numpy", "graph"]
FloatName: TypeAlias = Literal["float64", "float32"]
Edges: TypeAlias = Literal["exact", "ignore"]
Encoding: TypeAlias = Literal["srgb", "linear"]
Channel: TypeAlias = Literal["r", "g", "b", "luminance"]

if TYPE_CHECKING:
    Rendered: TypeAlias = Image | Any  # the caller knows whether the scene holds Vars, the checker does not
else:
    Rendered = Image | Var
