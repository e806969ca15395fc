"""Data: MNIST's files, located and verified, and synthetic digits drawn by a program."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
