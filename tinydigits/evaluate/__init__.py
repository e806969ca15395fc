"""How good a net is: figures, damage and plots, for any labelled digits."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
