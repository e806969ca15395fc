"""Entry point: ``from model import Net``; ``python model.py`` prints the layer table and checks."""

import sys

from tinydigits.cli import main
from tinydigits.net.model import Net

__all__ = ["Net"]

if __name__ == "__main__":
    sys.exit(main(["verify", *sys.argv[1:]]))
