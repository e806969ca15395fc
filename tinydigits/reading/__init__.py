"""Pictures: from any picture of a digit to what the net reads in it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
