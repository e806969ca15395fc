"""Entry point: ``python -m tinydigits`` is the same as ``tinydigits``."""

import sys

from tinydigits.cli import main

if __name__ == "__main__":
    sys.exit(main())
