"""The net: its layers, the checks it passes, the trained ones that ship, and their forward pass."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
