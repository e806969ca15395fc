"""The net over HTTP: ``tinydigits serve``. Nothing here imports PyTorch."""
