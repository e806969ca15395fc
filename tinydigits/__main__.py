"""``python -m tinydigits`` is ``tinydigits``."""

import sys

from tinydigits.cli import main

if __name__ == "__main__":
    sys.exit(main())
