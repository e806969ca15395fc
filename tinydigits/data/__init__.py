"""Data: MNIST files, located and verified, and digits and scenes drawn from pen strokes."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
