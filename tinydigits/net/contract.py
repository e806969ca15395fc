"""The input and output contract of every exported net; nothing here needs PyTorch.

Input: raw pixels from 0 to 255, white on black, SIDE x SIDE. Output: one logit per class.
"""

SIDE = 28  # pixels
CLASSES = 10
BLANK = 10  # of the strip net: a column between digits
STRIP = 32  # pixels of a strip's height
MEAN, STD = 0.1307, 0.3081  # of pixel / 255 over MNIST's 60,000 training digits

# The finder's views: their sides are multiples of STEP, and squares of CELL pixels vote for the
# middle, the size in UNITs of pixels, and the turn in TURNs of degrees, of a digit.
CELL, STEP, UNIT, TURN = 4, 16, 32, 45
