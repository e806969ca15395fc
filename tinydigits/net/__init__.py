"""The net: its layers, its architecture checks, the trained nets in the package, and inference."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
