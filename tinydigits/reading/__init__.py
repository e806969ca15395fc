"""Reading: prepare any picture of a digit for the net, and predict the digit."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
