"""Labelling: sort pictures into folders by digit, with a key for each on a local page."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
