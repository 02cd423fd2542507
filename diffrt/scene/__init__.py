"""What a scene is: reading, checking and writing it, and its parameters by name."""

from diffrt.scene.parameters import Parameter
from diffrt.scene.reading import load_scene, parse_scene
from diffrt.scene.scene import Scene

__all__ = ["Parameter", "Scene", "load_scene", "parse_scene"]
