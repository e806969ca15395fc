"""The trained net for other places: ONNX, C, a web page, safetensors."""
