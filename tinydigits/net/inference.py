"""The forward pass outside of training: by PyTorch, or by onnxruntime for ONNX files."""

import torch
from torch import Tensor, nn

from tinydigits.errors import extra
from tinydigits.net.model import normalise


def infer(model: nn.Module, images: Tensor, *, batch_size: int = 1000) -> Tensor:
    """Return float32 logits (N, 10) on the CPU for (N, 28, 28) pixels from 0 to 255.

    Every image is counted once, the last incomplete batch too; the model's mode is restored.
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


def infer_onnx(content: bytes, images: Tensor, *, batch_size: int = 1000) -> Tensor:
    """Return float32 logits (N, 10) of an ONNX file's net for (N, 28, 28) pixels, uint8.

    Raises:
        InputError: onnxruntime is not installed, or the file is none of tinydigits' models.
    """
    with extra("onnx", "an ONNX file"):  # imported here: not everyone has it
        from tinydigits.net import runtime
    session = runtime.session_of(content, threads=torch.get_num_threads())
    batches = [
        torch.from_numpy(runtime.logits(session, batch.numpy()))
        for batch in torch.split(images, batch_size)
    ]
    return torch.cat(batches)
