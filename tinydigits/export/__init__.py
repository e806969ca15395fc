"""Exports: a trained net as ONNX, C, a web page or safetensors, each compared with the net."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
