"""Entry point: ``python train.py`` runs ``tinydigits train`` from a clone, without installation."""

import sys

from tinydigits.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
