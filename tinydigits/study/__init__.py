"""Studies: many seeds of a recipe, kept as a record, summarised and compared."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
