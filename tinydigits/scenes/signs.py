"""Letters and signs that people write beside digits, as strokes on a grid of 8 by 8.

Only those are here that cannot be taken for digits: no C, I, O, S, Z, b, g, l, o, q, s, y or z.
"""

import numpy as np
import numpy.typing as npt

_GRID = 8

# Each stroke is a row of points, x and y as two digits each; y counts downwards.
_STROKES: dict[str, str] = {
    "A": "0840 4088 1565",
    "E": "6010 1018 1868 1454",
    "F": "7010 1018 1454",
    "H": "1018 7078 1474",
    "K": "1018 7015 2478",
    "M": "08104570 7088",
    "N": "08007880",
    "P": "1018 1050716354 5414",
    "R": "1018 105072635414 4478",
    "T": "0080 4048",
    "V": "004880",
    "W": "0028436880",
    "X": "0088 8008",
    "h": "1018 153363747778",
    "k": "1018 6215 3568",
    "m": "0308 04152435394838 384456667878",
    "n": "0308 0513435458",
    "r": "1218 15234353",
    "w": "0218334878",
    "x": "0278 7208",
    "plus": "4147 1474",
    "minus": "0484",
    "times": "1177 7117",
    "equals": "0383 0585",
    "divided": "0484 4242 4646",
    "per cent": "8008 1021300110 7868577878",
    "hash": "2008 6048 0282 0585",
    "euro": "7150302124274868 0353 0555",
    "tick": "053880",
    "star": "4048 1176 7116",
    "arrow": "0484 618467",
    "opening bracket": "50314147 4758",
    "closing bracket": "30515747 4738",
    "comma": "4645 4628",
    "colon": "4242 4646",
}


def _points(stroke: str) -> npt.NDArray[np.float64]:
    numbers = np.array([int(figure) for figure in stroke], np.float64)
    return numbers.reshape(-1, 2) / _GRID - 0.5


SIGNS: dict[str, list[npt.NDArray[np.float64]]] = {
    name: [_points(stroke) for stroke in strokes.split()] for name, strokes in _STROKES.items()
}
"""Name of each sign: its strokes' points (points, 2), in the unit box around the origin."""
