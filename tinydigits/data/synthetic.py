"""Synthetic digits: handwriting drawn from strokes, for training without the MNIST files.

Every digit starts from the table of writing variants below. A variant has several keyforms: the
same strokes in the same order, in different shapes. A digit is a random blend of one variant's
keyforms, with jittered control points, then bent, stretched, slanted and rotated. A round pen draws
its strokes as smooth curves. The picture is normalised like MNIST's: 20 pixels on the longer side,
the centre of mass in the middle of 28 x 28 pixels.

The table was drawn by hand. The spreads were set by comparing the digits with MNIST's training
digits, and from the errors of a net trained on synthetic digits only. MNIST's test digits played no
part.
"""

from __future__ import annotations

import functools
from itertools import chain, groupby, pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tinydigits.data import frame
from tinydigits.data.frame import BOX
from tinydigits.net.contract import SIDE
from tinydigits.seeds import derive

__all__ = ["draw"]

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
Stroke = list[tuple[float, float]]


class Variant(NamedTuple):
    """One way to write a digit: its label, its share of the label's digits, and its keyforms."""

    label: int
    share: float
    keyforms: list[list[Stroke]]


# Each variant starts with a line of its label, its share of that label's digits and its name. One
# indented line per keyform follows. "/" separates strokes; a stroke lists its control points as
# "x,y" in hundredths of a box one unit high, with y pointing down. A point written twice in a row
# is a corner. All keyforms of a variant have the same number of points in each stroke, so they can
# be blended.
DIGITS = """
0 0.64  closed at the top
  42,1 20,10 6,34 6,66 20,92 40,99 60,90 72,66 71,34 58,9 38,1
  50,2 28,8 10,32 4,62 14,90 34,99 56,88 70,60 73,30 62,6 46,3
  36,3 14,16 4,44 8,72 24,95 46,98 66,84 74,54 66,24 48,5 30,6
  60,2 44,8 24,30 8,60 6,90 22,99 42,90 62,64 74,36 74,12 58,2
  34,1 22,12 14,36 14,66 22,92 34,99 46,90 54,66 53,34 46,9 32,2
0 0.26  crossing itself at the top
  38,4 18,16 6,40 8,70 24,95 44,98 64,86 73,58 68,28 52,8 34,12
  60,4 34,6 10,28 4,60 14,90 36,99 58,88 72,58 70,24 50,6 26,10
  30,10 12,26 4,52 10,82 30,98 52,94 70,74 74,44 62,14 42,0 30,2
  64,0 40,10 14,34 6,66 16,94 38,99 58,88 70,60 66,32 48,16 34,20
0 0.10  ending in a hook inside
  52,2 20,14 4,46 14,82 38,99 62,84 72,48 58,12 34,4 22,22 38,36 54,32
  44,6 16,20 4,54 16,88 40,98 62,82 70,46 58,12 36,2 22,12 20,30 36,50
  62,0 34,12 10,44 8,84 28,98 52,78 68,44 70,14 52,4 34,18 24,38 20,56
  70,8 40,4 10,28 2,60 22,92 54,92 76,64 70,32 48,20 28,28 36,48 58,50
1 0.48  straight stem
  58,0 42,100
  50,0 50,100
  78,0 22,100
1 0.35  bent stem
  58,0 53,33 47,67 42,100
  54,0 49,33 48,67 50,100
  48,0 51,33 52,67 50,100
  78,0 60,33 42,67 22,100
  68,0 55,33 46,67 34,100
  50,0 47,33 45,84 60,97
  60,0 50,33 42,88 58,94
  56,0 52,33 46,72 34,98
1 0.09  stem with a flag
  26,22 38,14 50,0 50,0 50,33 50,67 50,100
  34,14 42,8 50,0 50,0 50,33 50,67 50,100
  30,30 46,16 60,0 60,0 54,33 46,67 40,100
  20,38 42,18 60,0 60,0 53,33 47,67 42,100
  36,18 48,10 62,0 62,0 54,33 44,67 36,100
1 0.08  stem with a flag and a foot
  24,22 36,14 50,0 50,0 50,33 50,67 50,100 / 20,100 50,99 80,99
  38,14 44,8 50,0 50,0 50,33 50,67 50,100 / 34,99 50,100 68,100
  20,24 40,14 58,0 58,0 53,33 48,67 44,100 / 6,99 44,100 84,96
2 0.40  sharp foot
  8,20 22,4 46,1 60,16 54,40 32,68 6,96 6,96 38,95 74,94
  6,10 24,2 52,4 62,20 50,44 28,70 2,94 2,94 40,92 84,97
  14,28 20,8 42,0 58,14 56,38 38,68 12,98 12,98 40,99 66,98
  2,8 20,8 44,6 62,10 50,34 28,64 4,94 4,94 36,92 70,88
  10,12 28,2 52,4 60,22 52,48 38,70 20,94 20,94 40,94 66,94
  4,30 16,6 44,0 62,18 58,50 36,74 8,90 8,90 36,94 64,100
  22,12 32,2 44,4 48,20 44,48 40,70 34,92 34,92 56,94 88,96
  30,4 38,2 44,10 42,30 34,60 26,80 12,96 12,96 42,93 80,96
  2,20 20,6 44,2 54,20 44,48 30,70 12,90 12,90 50,92 106,92
2 0.44  looped foot
  10,20 26,4 48,4 58,20 50,46 34,74 16,93 4,90 10,76 28,78 50,92 80,92
  4,12 24,1 50,6 60,24 50,50 32,76 14,98 2,90 8,72 28,74 54,88 86,84
  18,26 24,8 46,0 60,14 56,42 42,70 22,94 8,98 6,84 26,80 48,94 70,99
  20,34 10,18 26,2 52,6 56,34 38,66 16,92 4,86 14,72 36,80 56,92 76,88
  8,18 24,2 48,6 58,28 52,56 38,82 18,98 4,86 12,68 32,72 50,88 74,98
  30,0 44,8 50,22 52,42 44,66 34,86 18,98 2,84 10,66 32,68 56,84 80,88
  22,0 38,8 46,24 48,44 42,68 30,88 16,99 2,88 8,72 26,68 44,78 74,80
  6,20 28,2 52,8 58,28 56,54 46,82 22,98 4,86 14,66 36,66 54,84 62,100
  0,12 26,2 54,4 62,24 60,50 52,76 26,99 2,82 12,58 38,58 58,80 72,100
  26,24 14,12 32,0 50,10 52,36 40,64 26,90 14,94 14,82 28,80 42,88 58,90
  6,26 22,4 48,2 58,22 50,48 34,78 14,97 -2,88 8,68 32,68 54,82 80,84
  10,22 28,2 54,2 64,20 52,46 34,70 6,94 -14,90 0,72 34,74 60,88 92,80
  8,14 26,2 50,2 60,18 48,46 26,74 4,98 -8,90 6,74 30,72 52,80 80,74
2 0.16  round foot
  10,24 22,6 44,2 58,16 54,40 34,66 14,88 18,97 44,96 78,92
  6,16 22,2 48,4 60,22 52,46 34,70 16,86 16,96 44,97 84,98
  4,8 24,4 46,4 56,20 46,46 34,66 26,84 28,96 42,97 60,92
3 0.62  sharp waist
  8,14 26,2 50,4 58,20 46,38 26,46 26,46 50,50 66,66 58,88 32,99 6,90
  4,8 28,0 54,8 58,26 42,42 20,48 20,48 48,50 62,68 52,90 26,98 2,92
  12,20 26,4 48,0 62,14 54,34 34,44 34,44 58,50 68,70 56,92 30,100 4,84
  4,20 24,4 54,0 64,12 48,34 28,50 28,50 48,50 58,64 48,84 24,95 0,100
  8,12 24,2 42,2 52,12 46,26 30,34 30,34 56,38 70,60 60,88 32,100 4,90
  18,10 30,0 44,6 46,22 38,36 24,44 24,44 48,48 62,64 54,88 32,99 4,88
  10,22 28,4 56,4 68,24 56,48 34,58 34,58 52,60 60,74 50,92 30,99 8,94
  8,14 30,4 54,2 58,14 44,32 28,46 28,46 48,48 54,60 48,78 36,90 26,100
3 0.26  looped waist
  8,14 28,2 52,5 58,22 44,40 28,45 44,48 62,62 62,82 42,98 20,98 4,88
  4,8 28,0 52,6 56,26 40,44 22,48 40,46 60,58 64,80 46,96 22,99 2,92
  10,18 28,2 54,6 62,24 46,42 26,40 36,52 60,62 64,84 44,99 22,99 4,92
  4,16 28,4 54,2 60,18 50,36 40,44 50,52 60,66 54,84 36,94 18,98 0,98
  6,26 18,6 40,4 48,20 40,40 34,48 46,40 60,44 60,62 50,78 34,88 16,98
3 0.12  flat top
  8,6 34,4 62,2 62,2 46,22 28,42 28,42 54,48 66,68 56,90 32,99 6,92
  4,4 32,4 58,6 58,6 44,26 24,44 24,44 52,52 62,72 50,92 26,98 0,90
4 0.70  open top
  14,4 10,24 6,44 6,52 6,52 34,54 72,50 / 62,0 58,32 54,66 50,100
  22,6 14,24 6,42 4,56 4,56 36,52 84,46 / 66,2 60,34 54,68 48,100
  10,10 10,28 10,42 14,54 14,54 36,56 64,50 / 62,8 62,36 60,68 60,100
  30,0 20,20 8,42 2,56 2,56 36,56 76,56 / 54,24 52,46 48,74 46,100
  30,4 20,22 8,44 2,60 2,60 40,52 90,40 / 76,6 66,34 50,68 36,100
4 0.13  closed top
  54,0 36,22 16,44 2,62 2,62 36,62 78,60 / 55,2 54,34 53,66 52,100
  60,2 40,20 20,40 4,56 4,56 36,56 70,56 / 60,4 58,34 54,66 52,100
4 0.17  open top, rounded
  14,6 8,26 10,44 24,52 42,48 58,36 / 64,0 60,32 56,66 52,100
  20,4 8,24 6,44 22,54 44,50 62,42 / 66,6 62,34 58,68 58,100
  10,10 6,30 12,48 30,54 48,48 62,36 / 66,2 64,34 60,66 56,100
5 0.55  separate top bar
  26,6 22,24 18,42 18,42 36,36 56,44 64,64 54,88 30,99 4,90 / 26,5 50,4 76,2
  22,10 20,26 18,46 18,46 38,42 56,52 60,72 46,92 24,98 2,94 / 20,10 46,8 80,2
  34,4 26,22 18,40 18,40 40,36 58,48 60,70 46,92 22,98 0,88 / 34,4 60,4 90,0
  28,2 22,30 18,56 18,56 34,48 52,56 56,74 44,92 24,99 6,90 / 28,2 50,4 74,4
  20,6 16,22 12,40 12,40 40,30 64,44 70,70 50,94 20,98 2,78 / 20,6 44,4 72,0
  42,4 30,22 18,44 18,44 36,42 50,52 52,70 36,90 16,97 -4,92 / 42,4 68,2 100,-6
  24,6 18,22 14,42 14,42 32,38 52,48 58,68 48,92 22,98 4,76 / 24,6 44,4 66,2
5 0.30  one stroke
  72,2 50,4 28,5 28,5 22,22 18,40 18,40 38,36 58,46 64,66 52,90 28,99 4,90
  82,0 56,4 34,8 34,8 26,24 18,42 18,42 40,40 58,52 58,72 42,92 20,97 0,92
  66,4 44,4 22,4 22,4 20,26 18,52 18,52 38,44 56,56 58,76 44,94 24,99 6,86
5 0.15  s-curve
  74,4 50,2 30,10 22,28 34,42 52,54 60,72 48,92 26,99 4,90
  80,2 54,4 32,14 24,32 36,44 54,56 58,74 44,92 22,98 2,92
  70,6 48,2 28,14 26,34 44,44 58,58 58,78 42,96 22,97 8,82
6 0.75  bow into a loop
  46,0 26,18 12,42 6,68 14,92 34,99 54,88 58,68 44,56 24,60 10,78
  54,4 30,18 12,42 4,70 12,94 34,99 56,86 60,66 42,58 22,66 8,82
  36,0 20,22 10,48 8,74 18,94 36,99 50,90 54,74 44,62 26,66 14,82
  58,2 34,12 14,34 4,62 8,88 30,100 56,90 64,68 48,52 24,56 6,74
  40,0 22,14 10,36 4,60 10,90 36,99 64,90 72,68 58,48 30,48 8,66
  10,0 7,20 5,42 5,66 14,92 36,100 56,92 62,76 48,62 28,66 10,80
  30,0 24,24 16,48 12,74 18,96 30,99 40,90 40,76 32,70 22,76 16,86
  28,0 10,14 0,40 4,76 28,98 60,92 76,70 66,46 44,44 24,58 18,74
  56,0 36,22 18,46 6,74 10,96 32,99 56,86 66,66 52,56 32,66 18,84
6 0.25  loop left open, or crossing the stem
  26,0 12,20 4,46 6,80 30,99 62,94 72,74 58,60 36,64 24,78
  44,0 24,18 8,46 6,78 24,98 52,96 66,78 58,60 36,58 22,70
  54,0 32,22 14,50 6,82 20,99 44,94 56,76 44,62 18,68 -4,84
  20,0 8,22 2,50 8,84 32,100 60,92 70,70 60,50 38,46 20,58
7 0.46  plain corner
  4,8 30,6 64,4 64,4 54,34 42,66 32,100
  2,14 30,8 60,2 60,2 52,34 38,68 28,100
  6,4 30,6 62,8 62,8 56,36 50,68 46,100
  0,20 32,10 70,0 70,0 50,34 34,66 24,100
  14,8 30,6 50,4 50,4 44,36 36,68 30,100
  4,8 30,6 64,4 64,4 54,40 38,86 46,100
  4,8 30,6 64,4 64,4 50,36 32,80 50,96
  2,18 28,8 62,6 62,6 54,40 42,84 54,92
7 0.24  hooked start
  6,26 6,8 30,7 64,4 64,4 54,34 42,66 32,100
  4,18 8,6 32,10 62,6 62,6 56,36 48,68 44,100
  2,38 8,12 34,8 60,2 60,2 58,36 54,68 50,100
  14,0 10,22 34,20 70,4 70,4 54,36 40,68 26,100
  6,2 6,22 30,22 64,8 64,8 52,36 40,68 30,100
7 0.14  barred stem
  4,8 30,6 64,4 64,4 54,34 42,66 32,100 / 24,52 44,50 70,48
  6,12 30,8 64,2 64,2 52,34 40,66 34,100 / 14,56 40,52 64,52
  6,20 14,6 72,4 72,4 54,34 40,66 26,100 / 12,58 44,50 84,44
7 0.16  rounded corner
  4,14 24,4 48,4 60,16 54,42 44,70 34,100
  4,20 20,4 46,2 58,18 54,46 46,72 42,100
  2,32 10,10 38,2 60,12 60,40 54,70 48,100
8 0.72  s-curve that closes upwards
  58,12 36,0 14,12 18,32 40,48 58,68 50,92 26,99 8,84 18,62 42,46 58,28 56,10
  62,8 40,2 20,14 22,34 38,48 50,68 40,92 20,98 6,84 16,62 40,44 60,26 62,8
  54,18 38,2 16,6 12,28 36,46 60,62 60,86 36,100 12,90 14,66 38,46 54,30 52,14
  76,0 52,4 24,12 20,30 40,48 58,66 50,90 26,99 8,84 18,62 42,44 64,22 80,2
  48,14 38,2 26,10 26,24 38,38 58,62 56,86 34,100 10,90 10,68 30,46 44,30 48,16
  62,16 40,0 12,12 12,38 36,58 48,74 42,94 28,99 18,88 26,70 46,54 64,38 64,18
  52,12 36,0 16,12 20,34 34,50 38,70 26,94 18,99 12,90 20,68 34,48 50,30 52,14
  66,10 44,2 18,10 16,28 38,46 52,66 46,90 24,99 10,86 22,64 36,46 48,32 58,22
  84,6 58,2 34,10 28,26 40,44 52,62 44,88 20,99 4,88 18,66 42,48 64,32 84,14
  50,6 34,2 20,14 24,30 40,46 52,64 46,88 26,99 10,86 20,66 42,44 66,22 92,-4
  60,2 40,6 22,20 24,34 42,48 56,66 50,90 30,99 14,88 24,68 40,44 50,22 70,0
8 0.12  s-curve begun on the left
  14,12 36,0 58,12 54,32 32,48 14,68 22,92 46,99 64,84 54,62 30,46 14,28 16,10
  20,20 36,2 60,8 58,30 36,46 12,66 14,92 38,100 56,86 46,62 28,46 16,30 24,12
  8,4 32,0 54,10 50,30 30,48 10,72 22,96 44,96 54,78 44,60 28,44 18,30 20,18
8 0.16  two loops
  36,0 16,8 16,32 36,46 56,36 58,12 36,0 / 36,46 12,58 8,86 34,100 60,88 62,60 38,46
  40,2 20,8 18,30 36,44 54,34 58,12 42,1 / 34,44 10,60 6,84 26,98 48,88 52,62 38,45
9 0.52  loop and straight stem in one stroke
  54,14 36,2 14,12 8,32 22,46 42,38 54,16 54,16 54,44 50,72 46,100
  58,8 34,2 12,16 6,34 20,44 42,34 58,12 58,12 52,42 46,72 40,100
  50,20 38,4 18,8 8,28 16,46 38,44 52,26 52,26 54,50 54,74 54,100
  60,14 40,2 14,14 4,38 18,58 44,52 62,22 62,22 60,48 58,74 56,100
  50,12 38,2 24,8 20,20 28,32 42,26 50,12 50,12 46,40 40,70 36,100
  62,12 44,0 20,10 10,30 22,44 46,36 64,14 64,14 46,44 30,72 16,100
  46,8 30,4 14,18 10,36 22,46 42,38 56,10 56,10 54,42 50,72 48,100
  40,6 24,12 12,28 14,42 28,46 46,34 60,6 60,6 58,38 54,70 50,100
  44,0 26,10 8,26 4,40 20,44 50,36 72,18 72,18 58,44 48,72 40,100
  70,20 48,2 16,10 2,40 14,66 44,60 66,26 66,26 68,50 70,72 72,92
  60,16 40,2 14,20 4,56 14,78 38,66 58,24 58,24 62,50 62,76 62,100
9 0.18  loop and stem in two strokes
  60,12 38,0 12,10 4,32 20,50 46,44 60,20 / 62,6 60,34 56,68 54,100
  56,10 34,2 10,18 4,40 20,54 44,44 58,18 / 66,2 60,34 52,68 44,100
  50,6 26,2 6,20 4,44 22,58 46,46 58,20 / 60,10 62,38 62,68 60,100
9 0.30  tail that curves left
  56,16 38,2 16,10 8,30 22,46 44,40 56,20 58,46 52,78 32,98 12,92
  54,12 34,2 12,14 8,34 24,44 44,34 56,16 56,46 50,76 36,97 20,98
  54,24 40,6 18,8 8,28 16,44 40,44 56,26 56,50 50,74 42,92 34,100
  56,10 36,0 12,12 6,36 22,54 46,46 60,22 62,50 58,80 38,99 10,94
  54,10 38,2 18,12 12,30 24,42 44,32 56,12 52,44 44,70 36,86 30,100
  56,6 40,2 20,12 14,28 24,40 44,36 56,28 58,44 52,70 44,88 36,100
"""

# Batched drawing.
BLOCK = 250  # digits per random stream: a multiple of ten, and small enough for the cache
SAMPLES = 72  # pen positions per digit: less than a pen radius apart even on the longest path

# How far a digit departs from the table: standard deviations in digit heights, unless noted. Larger
# values give digits that do not occur in MNIST; smaller values give digits that are too similar.
BLEND_CONTRAST = 2.5  # exponent; above 1, a blend stays near one keyform, not near their average
POINT_JITTER = 0.016  # of a control point; larger values make curves angular
STROKE_JITTER = 0.03  # of a whole stroke; opens gaps between strokes, or makes them cross
END_STRETCH = 0.18  # of a stroke's overshoot, in lengths of its last span
TAPER = 0.20  # relative difference in width between the middle and either end
BALANCE = 0.22  # of the middle's downward shift, in quarters of a height
WARP = 0.06  # amplitude of the smooth bends
WARP_WAVES = 3  # bends per digit: enough to make every digit's bends different
WARP_FREQUENCY = 5.0  # radians per height, about one bend per digit

# MNIST's digits lean to the right by 7 degrees on average, with a deviation of 15 degrees.
SLANT_MEAN = 0.13  # tangent
SLANT_DEVIATION = 0.24  # tangent
ROTATION_DEVIATION = 0.10  # radians
ASPECT = 1.08  # median width relative to the table, which is slightly narrower than MNIST
ASPECT_DEVIATION = 0.20  # of the logarithm

# MNIST's strokes are 2.6 pixels wide on average, and from 1.5 to 4.4 except for outliers.
PEN_RADIUS = 1.6  # pixels, median for a path as long as a digit is high
THINNING = 0.3  # exponent of the path's length: in MNIST, a 1 is bolder than a 5
PEN_DEVIATION = 0.28  # of the radius's logarithm
PEN_LIMITS = (0.6, 2.8)  # pixels; thinner strokes break up, thicker ones fill every loop
PRESSURE = 0.10  # relative variation of the radius along the path
RAGGEDNESS = 0.06  # relative variation of the radius between adjacent pen positions
NIB = 0.08  # relative difference between the pen's axes
EDGE = 0.5  # pixels over which ink fades on either side of its edge, as in a scan

# Rows: powers 0 to 3 of the position between the second and third of four controls.
CATMULL_ROM = np.array(((0, 2, 0, 0), (-1, 0, 1, 0), (2, -5, 4, -1), (-1, 3, -3, 1))) / 2


class Outlines(NamedTuple):
    """All variants, ready to draw, padded to the largest numbers of controls and keyforms."""

    label: IntArray  # (variants, 1)
    share: FloatArray  # (variants, 1): the variant's share of its label's digits
    keyforms: FloatArray  # (variants, keyforms, controls, 2)
    present: npt.NDArray[np.bool_]  # (variants, keyforms): false for padding
    inner: IntArray  # (variants, controls): a stroke end's inner neighbour, else the control itself
    stroke: IntArray  # (variants, controls): index of each control's stroke
    spline: FloatArray  # (variants, SAMPLES, controls): weight of each control along the path


def draw(count: int, *, seed: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Return the first ``count`` digits of the endless sequence for ``seed``, with their labels.

    Images are uint8 (count, 28, 28), white (255) on black (0); labels are uint8 (count,). Each
    group of ten contains every digit from 0 to 9 once, in random order. Digit i depends only on
    ``seed`` and i.

    Raises:
        ValueError: ``count`` is negative.
    """
    if count < 0:
        raise ValueError(f"count must be at least 0, got {count}")
    images = np.zeros((count, SIDE, SIDE), np.uint8)
    labels = np.zeros(count, np.uint8)
    for start in range(0, count, BLOCK):
        # The last block is drawn whole and then cut, so its digits do not depend on count.
        rng = np.random.default_rng(derive(seed, "synthetic", start // BLOCK))
        block = _draw_labels(rng)
        images[start : start + BLOCK] = _draw_images(block, rng)[: count - start]
        labels[start : start + BLOCK] = block[: count - start]
    return images, labels


def _draw_labels(rng: np.random.Generator) -> IntArray:
    """Return one block's labels (BLOCK,): each group of ten has every digit, in random order."""
    cycles = np.tile(np.arange(10), (BLOCK // 10, 1))
    return rng.permuted(cycles, axis=1).ravel()


def _draw_images(labels: IntArray, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Return a picture (28, 28) for each label, (labels, 28, 28)."""
    outlines = _outlines()
    variant = _choose_variants(labels, outlines, rng)
    controls = _loosen(_blend(outlines, variant, rng), outlines, variant, rng)
    path = _proportion(outlines.spline[variant] @ controls, rng)
    path = _transform(_bend(path, rng), rng)
    reach = _press_pen(path, rng)
    return frame.centre(_ink(_fit_to_box(path, reach), reach))


def _choose_variants(labels: IntArray, outlines: Outlines, rng: np.random.Generator) -> IntArray:
    """Return a variant's index for each label, drawn in proportion to the shares."""
    # The Gumbel-max trick: the largest noisy log share is a draw in proportion to the shares.
    scores = np.log(outlines.share) + rng.gumbel(size=(len(outlines.share), len(labels)))
    chosen: IntArray = np.where(labels == outlines.label, scores, -np.inf).argmax(axis=0)
    return chosen


def _blend(outlines: Outlines, variant: IntArray, rng: np.random.Generator) -> FloatArray:
    """Return control points (digits, controls, 2): random blends of each variant's keyforms."""
    present = outlines.present[variant]
    weights = present * rng.standard_exponential(present.shape, np.float32) ** BLEND_CONTRAST
    weights /= weights.sum(axis=1, keepdims=True)
    blended: FloatArray = np.einsum("dk,dkcx->dcx", weights, outlines.keyforms[variant])
    return blended


def _loosen(
    controls: FloatArray, outlines: Outlines, variant: IntArray, rng: np.random.Generator
) -> FloatArray:
    """Jitter control points and whole strokes, and stretch stroke ends along their direction."""
    digits, points, _ = controls.shape
    inner = np.take_along_axis(controls, outlines.inner[variant][:, :, None], axis=1)
    stretch = END_STRETCH * _normal(rng, (digits, points, 1))
    offsets = STROKE_JITTER * _normal(rng, (digits, points, 2))
    offset = np.take_along_axis(offsets, outlines.stroke[variant][:, :, None], axis=1)
    jitter = POINT_JITTER * _normal(rng, controls.shape)
    loosened: FloatArray = controls + stretch * (controls - inner) + offset + jitter
    return loosened


def _proportion(path: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Change the relative heights of the two halves and the relative widths of the two ends."""
    x, y = path[:, :, 0], path[:, :, 1]
    taper = TAPER * _normal(rng, (len(path), 1))
    balance = BALANCE * _normal(rng, (len(path), 1))
    centre = x.mean(axis=1, keepdims=True)
    wide = centre + (x - centre) * (1 + taper * (2 * y - 1))
    return np.stack((wide, y + balance * y * (1 - y)), axis=2)


def _bend(path: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Bend the paths with a few smooth waves across the plane."""
    waves = (len(path), WARP_WAVES)
    direction = WARP_FREQUENCY * _normal(rng, (*waves, 2))
    phase = rng.uniform(0, 2 * np.pi, waves).astype(np.float32)
    amplitude = WARP / np.sqrt(WARP_WAVES) * _normal(rng, (*waves, 2))
    wave = np.sin(path @ direction.transpose(0, 2, 1) + phase[:, None, :])
    bent: FloatArray = path + wave @ amplitude
    return bent


def _transform(path: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Stretch, slant and rotate the paths."""
    digits = len(path)
    aspect = ASPECT * np.exp(ASPECT_DEVIATION * _normal(rng, (digits,)))
    slant = SLANT_MEAN + SLANT_DEVIATION * _normal(rng, (digits,))
    angle = ROTATION_DEVIATION * _normal(rng, (digits,))
    cosine, sine = np.cos(angle), np.sin(angle)
    # Applied to row vectors: stretch and slant, then rotate.
    shear = np.stack((aspect, np.zeros_like(aspect), -slant, np.ones_like(aspect)), axis=1)
    rotation = np.stack((cosine, sine, -sine, cosine), axis=1)
    moved: FloatArray = path @ shear.reshape(-1, 2, 2) @ rotation.reshape(-1, 2, 2)
    return moved


def _press_pen(path: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return the ink's reach around each pen position, (digits, SAMPLES, 2), in x and y, pixels."""
    digits = len(path)
    length = np.linalg.norm(np.diff(path, axis=1), axis=2).sum(axis=1, keepdims=True)
    median = PEN_RADIUS * length**-THINNING
    radius = median * np.exp(PEN_DEVIATION * _normal(rng, (digits, 1))) * _swell(digits, rng)
    nib = NIB * _normal(rng, (digits, 1, 1)) * np.array((1, -1), np.float32)
    reach: FloatArray = np.clip(radius[:, :, None] * (1 + nib), *PEN_LIMITS) + EDGE
    return reach


def _swell(digits: int, rng: np.random.Generator) -> FloatArray:
    """Return factors of the pen's radius, (digits, SAMPLES): a slow wave plus roughness."""
    along = np.linspace(0, 2 * np.pi, SAMPLES, dtype=np.float32)
    rate = rng.uniform(0.5, 2.0, (digits, 1)).astype(np.float32)
    phase = rng.uniform(0, 2 * np.pi, (digits, 1)).astype(np.float32)
    wave = PRESSURE * _normal(rng, (digits, 1)) * np.sin(rate * along + phase)
    swell: FloatArray = 1 + wave + RAGGEDNESS * _normal(rng, (digits, SAMPLES))
    return swell


def _fit_to_box(path: FloatArray, reach: FloatArray) -> FloatArray:
    """Scale the paths so that their ink's longer side is BOX pixels, and centre the ink."""
    scale = np.full((len(path), 1, 1), BOX, np.float32)
    low, high = _extent(path, np.zeros_like(reach))
    slope = (high - low).max(axis=2, keepdims=True)
    for _ in range(3):  # Newton's method: the ink's side is nearly linear in the scale
        low, high = _extent(path * scale, reach)
        scale += (BOX - (high - low).max(axis=2, keepdims=True)) / slope
    low, high = _extent(path * scale, reach)
    fitted: FloatArray = path * scale + (BOX - low - high) * np.float32(0.5)
    return fitted


def _extent(path: FloatArray, reach: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the ink's smallest and largest coordinates, each (digits, 1, 2)."""
    return (path - reach).min(axis=1, keepdims=True), (path + reach).max(axis=1, keepdims=True)


def _ink(path: FloatArray, reach: FloatArray) -> npt.NDArray[np.uint8]:
    """Return grey values from 0 to 255, uint8 (digits, BOX, BOX).

    Ink is deepest on the path and ends at the reach of the nearest pen position. Distances are
    measured in reaches, so the edge is exact for every width and shape of the pen.
    """
    pixels = np.arange(BOX, dtype=np.float32) + 0.5
    # Samples come first, so each step of the loop below reads a contiguous slice.
    path, reach = path.transpose(1, 2, 0)[..., None], reach.transpose(1, 2, 0)[..., None]
    squares = ((pixels - path) / reach) ** 2
    nearest = np.full((path.shape[2], BOX, BOX), np.inf, np.float32)
    for horizontal, vertical in squares:
        np.minimum(nearest, vertical[:, :, None] + horizontal[:, None, :], out=nearest)
    # The mean reach of each digit keeps its edge equally soft where the pen widens.
    depth = (1 - np.sqrt(nearest)) * reach.mean(axis=(0, 1))[..., None]
    grey: npt.NDArray[np.uint8] = np.rint(255 * np.clip(depth / (2 * EDGE), 0, 1)).astype(np.uint8)
    return grey


def _normal(rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
    """Return standard normal numbers in single precision."""
    return rng.standard_normal(shape, np.float32)


@functools.cache
def _outlines() -> Outlines:
    """Return DIGITS compiled for drawing; compile it only once."""
    compiled = [_compile(variant) for variant in _read(DIGITS)]
    return Outlines(*(_stack(arrays) for arrays in zip(*compiled, strict=True)))


def _compile(variant: Variant) -> Outlines:
    """Return one variant's row of each array in Outlines, without padding."""
    strokes = variant.keyforms[0]
    controls = [list(chain(*map(_controls, form))) for form in variant.keyforms]
    starts = np.cumsum([0] + [len(_controls(stroke)) for stroke in strokes])
    pieces = [
        piece
        for stroke, start in zip(strokes, starts[:-1], strict=True)
        for piece in _pieces(stroke, int(start))
    ]
    return Outlines(
        label=np.array([variant.label]),
        share=np.array([variant.share], np.float32),
        keyforms=np.array(controls, np.float32),
        present=np.ones(len(controls), np.bool_),
        inner=_inner_neighbours(starts),
        stroke=np.repeat(np.arange(len(starts) - 1), np.diff(starts)),
        spline=_spline(np.array(controls[0]), pieces),
    )


def _read(table: str) -> list[Variant]:
    """Return the variants in a table such as DIGITS."""
    variants: list[Variant] = []
    for line in table.strip().splitlines():
        if line.startswith(" "):
            variants[-1].keyforms.append([_read_stroke(stroke) for stroke in line.split("/")])
        else:
            label, share, _ = line.split(maxsplit=2)
            variants.append(Variant(int(label), float(share), []))
    return variants


def _read_stroke(text: str) -> Stroke:
    """Return a stroke's control points in the unit box."""
    pairs = (pair.split(",") for pair in text.split())
    return [(int(x) / 100, int(y) / 100) for x, y in pairs]


def _controls(stroke: Stroke) -> Stroke:
    """Return a stroke's points, with each corner once."""
    return [point for point, _ in groupby(stroke)]


def _pieces(stroke: Stroke, start: int) -> list[list[int]]:
    """Return the control indices of a stroke's smooth pieces, which meet at its corners."""
    pieces = [[start]]
    for previous, point in pairwise(stroke):
        last = pieces[-1][-1]
        if point == previous:
            pieces.append([last])
        else:
            pieces[-1].append(last + 1)
    return pieces


def _inner_neighbours(starts: IntArray) -> IntArray:
    """Return for each stroke's first and last control its inner neighbour, else the control."""
    inner = np.arange(starts[-1])
    inner[starts[:-1]] += 1
    inner[starts[1:] - 1] -= 1
    return inner


def _spline(controls: npt.NDArray[np.floating], pieces: list[list[int]]) -> FloatArray:
    """Return weights (SAMPLES, controls) for evenly spaced points on Catmull-Rom curves."""
    spans = np.concatenate([_spans(piece, len(controls)) for piece in pieces])
    chords = (spans[:, 2] - spans[:, 1]) @ controls
    ends = np.cumsum(np.hypot(*chords.T))
    place = (np.arange(SAMPLES) + 0.5) / SAMPLES * ends[-1]
    span = np.searchsorted(ends, place)
    t = 1 - (ends[span] - place) / np.diff(ends, prepend=0)[span]
    powers = np.stack((np.ones_like(t), t, t**2, t**3), axis=1)
    weights: npt.NDArray[np.float64] = np.einsum("sk,skc->sc", powers @ CATMULL_ROM, spans[span])
    return weights.astype(np.float32)


def _spans(piece: list[int], count: int) -> npt.NDArray[np.float64]:
    """Return the four controls that shape each span of a piece, as weights (spans, 4, count).

    A piece continues in a straight line beyond its ends.
    """
    knots = np.eye(count)[piece]
    before, after = 2 * knots[0] - knots[1], 2 * knots[-1] - knots[-2]
    knots = np.concatenate((before[None], knots, after[None]))
    return np.stack([knots[i : i + 4] for i in range(len(knots) - 3)])


def _stack(arrays: tuple[npt.NDArray[Any], ...]) -> npt.NDArray[Any]:
    """Return arrays of unequal shapes in one array, each padded with zeros to the largest."""
    shape = [max(sizes) for sizes in zip(*(array.shape for array in arrays), strict=True)]
    stacked = np.zeros((len(arrays), *shape), arrays[0].dtype)
    for row, array in zip(stacked, arrays, strict=True):
        row[tuple(slice(size) for size in array.shape)] = array
    return stacked
