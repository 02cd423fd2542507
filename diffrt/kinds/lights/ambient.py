"""Light that comes evenly from everywhere and casts no shadow."""

from diffrt.kinds.fields import radiance
from diffrt.kinds.kind import Light


class AmbientLight(Light):
    """Light from everywhere, without shadows."""

    type = "ambient"
    radiance = radiance("from each direction")

    everywhere = True
