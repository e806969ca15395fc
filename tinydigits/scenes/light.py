"""Light that falls on a scene, and the camera that takes it. All values are float32."""

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from tinydigits.scenes import drawing
from tinydigits.scenes.drawing import Projection

Floats = npt.NDArray[np.float32]
Shape = tuple[int, int]


def falloff(shape: Shape, strength: float, rng: np.random.Generator) -> Floats:
    """Return light that gets weaker to one side, by up to ``strength``."""
    y, x = (np.linspace(-1, 1, side, dtype=np.float32) for side in shape)
    angle = rng.uniform(0, 2 * np.pi)
    along = x * np.float32(np.cos(angle)) + y[:, None] * np.float32(np.sin(angle))
    return np.asarray(1 - np.float32(strength) * (1 + along) / 2, np.float32)


def shadow(
    shape: Shape, edge: float, near: tuple[float, float], rng: np.random.Generator
) -> Floats:
    """Return light with the shadow of a hand, a phone or a window bar.

    Its edge fades over ``edge`` pixels; one of its sides passes near the point ``near``.
    """
    side = max(shape)
    width, height = rng.uniform(0.15, 1.2, 2) * side
    corners = np.array(((0, 0), (width, 0), (width, height), (0, height)))
    corners += rng.normal(0, 0.08 * side, corners.shape)
    along = rng.uniform(-0.2, 1.2) * width, rng.normal(0, 0.05) * side
    turned = Projection.of(near, rng.uniform(0, 2 * np.pi))
    cover = drawing.area(shape, corners - along, turned)
    if edge > 0.3:
        cover = ndimage.gaussian_filter(cover, edge, mode="nearest")
    return np.asarray(1 - np.float32(rng.uniform(0.15, 0.6)) * cover, np.float32)
