"""Door: ``python train.py`` is ``tinydigits train``, from a clone that is not installed."""

import sys

from tinydigits.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
