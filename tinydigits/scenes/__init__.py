"""Scenes: pictures of digits on anything, in any light, and where the digits' ink is in them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
