from .folded import fold as fold
from .parity import Parity as Parity
from .quantised import quantise as quantise
