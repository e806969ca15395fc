"""tinydigits: a handwritten-digit recogniser with 13,034 parameters.

The public names are imported when they are first used, so that ``tinydigits --help`` answers
without waiting for PyTorch; ``__init__.pyi`` lists them, here and in each folder.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["__version__"]
