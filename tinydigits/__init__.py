"""tinydigits: a handwritten-digit recogniser with 13,034 parameters.

Public names are imported on first use, so ``tinydigits --help`` does not wait for PyTorch. The
``__init__.pyi`` of each folder lists them.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["__version__"]
