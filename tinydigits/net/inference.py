"""Inference: PyTorch runs nets, onnxruntime runs ONNX files."""

import torch
from torch import Tensor, nn

from tinydigits.errors import extra
from tinydigits.net.model import normalise

# Images in one forward pass: with more of them, their activations leave the processor's cache.
TOGETHER = 250


def infer(model: nn.Module, images: Tensor, *, batch_size: int = TOGETHER) -> Tensor:
    """Return float32 logits (N, 10) on the CPU for pixels (N, 28, 28) from 0 to 255, of any dtype.

    Every image is evaluated exactly once, including those of an incomplete last batch. The model
    runs in evaluation mode on its own device; its mode is then restored.
    """
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            batches = [
                model(normalise(x.to(device))).cpu() for x in torch.split(images, batch_size)
            ]
    finally:
        model.train(was_training)
    return torch.cat(batches)


def infer_onnx(content: bytes, images: Tensor, *, batch_size: int = TOGETHER) -> Tensor:
    """Return an ONNX model's float32 logits (N, 10) for uint8 pixels (N, 28, 28).

    Args:
        content: the bytes of the ONNX file.
        images: the pixels, from 0 to 255.
        batch_size: the number of images per forward pass.

    Raises:
        InputError: onnxruntime is not installed, or the file is not a tinydigits model.
    """
    with extra("onnx", "an ONNX file"):  # onnxruntime is optional
        from tinydigits.net import runtime
    session = runtime.session_of(content, threads=torch.get_num_threads())
    batches = [
        torch.from_numpy(runtime.logits(session, batch.numpy()))
        for batch in torch.split(images, batch_size)
    ]
    return torch.cat(batches)
