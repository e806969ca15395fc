"""Nets from every file that ``--model`` takes, and files that hold no usable weights."""

import io
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from onnx import numpy_helper

from tests.conftest import ROOT
from tinydigits import InputError, infer, load, load_net
from tinydigits.cli import main
from tinydigits.data.dataset import Dataset
from tinydigits.export.folded import fold
from tinydigits.export.onnx import in_floats, in_integers
from tinydigits.export.quantised import quantise
from tinydigits.export.safetensors import weights as in_safetensors
from tinydigits.net.inference import infer_onnx
from tinydigits.net.shipped import WEIGHTS
from tinydigits.net.trained import source_of
from tinydigits.serve.served import served_net
from tinydigits.train.checkpoint import last

Weights = dict[str, Any]


def best() -> Weights:
    return dict(load("best").state_dict())


def renamed(change: Callable[[str], str]) -> Weights:
    return {change(name): value for name, value in best().items()}


def cast(dtype: torch.dtype) -> Weights:
    return {name: value.to(dtype) for name, value in best().items()}


def changed(name: str, value: float) -> Weights:
    weights = {key: tensor.clone() for key, tensor in best().items()}
    weights[name].view(-1)[0] = value
    return weights


EXACT = {
    "plain": best,
    "in a dict": lambda: {"epoch": 3, "state_dict": best()},
    "beside an optimiser": lambda: {"model_state_dict": best(), "optimizer": {"state": {}}},
    "named model": lambda: {"model": best(), "args": [1]},
    "DataParallel": lambda: renamed("module.{}".format),
    "compiled": lambda: renamed("_orig_mod.{}".format),
    "compiled, then wrapped": lambda: renamed("module._orig_mod.{}".format),
    "wrapped, then compiled": lambda: renamed("_orig_mod.module.{}".format),
    "wrapped inside": lambda: renamed(lambda name: name.replace("layers.", "layers._orig_mod.")),
    "double precision": lambda: cast(torch.float64),
    "as parameters": lambda: load("best").state_dict(keep_vars=True),
    "without counts": lambda: {n: v for n, v in best().items() if "num_batches" not in n},
}


@pytest.mark.parametrize("form", EXACT)
@pytest.mark.parametrize("zipped", [True, False])
def test_a_state_dict_is_the_same_net(
    tmp_path: Path, drawn: Dataset, form: str, zipped: bool
) -> None:
    path = tmp_path / "net.pth"
    weights: Weights = EXACT[form]()  # type: ignore[no-untyped-call]
    torch.save(weights, path, _use_new_zipfile_serialization=zipped)
    net = load(path)
    assert {value.dtype for value in net.parameters()} == {torch.float32}
    assert torch.equal(infer(net, drawn.test.images), infer(load("best"), drawn.test.images))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_read(tmp_path: Path, drawn: Dataset, dtype: torch.dtype) -> None:
    weights = cast(dtype)
    weights["layers.bn1.num_batches_tracked"] = torch.tensor(float("inf"), dtype=dtype)  # too many
    torch.save(weights, tmp_path / "net.pth")
    found, expected = (
        infer(net, drawn.test.images) for net in (load(tmp_path / "net.pth"), load("best"))
    )
    assert (found - expected).abs().max() < 0.3
    assert (found.argmax(dim=1) == expected.argmax(dim=1)).float().mean() > 0.98


@pytest.mark.parametrize("suffix", [".onnx", ".ONNX"])
def test_a_float_onnx_file_is_the_same_net(tmp_path: Path, drawn: Dataset, suffix: str) -> None:
    path = tmp_path / f"net{suffix}"
    path.write_bytes((WEIGHTS / "best.onnx").read_bytes())
    net = load(path)
    assert (infer(net, drawn.test.images) - infer(load("best"), drawn.test.images)).abs().max() < (
        1e-4
    )
    again = infer_onnx(in_floats(fold(net)), drawn.test.images)
    assert (again - infer_onnx(path.read_bytes(), drawn.test.images)).abs().max() < 1e-4


def test_onnx_files_of_other_nets_are_refused(tmp_path: Path, drawn: Dataset) -> None:
    layers = fold(load("best"))
    path = tmp_path / "net.onnx"
    for content, words in [
        (in_integers(quantise(layers, drawn.train.images[:100])), "not a float ONNX model"),
        (b"nonsense", "net.onnx is not a float ONNX model of tinydigits: expected a file from"),
        (in_floats(layers[:-1]), "its layers are in another order"),
        (in_floats([*layers[:-1], layers[0]]), "its layers are in another order"),
        (in_floats([*layers[:4], layers[2], *layers[5:]]), "holds another net: layers.conv5.bias"),
    ]:
        path.write_bytes(content)
        with pytest.raises(InputError, match=words) as refusal:
            load(path)
        assert str(refusal.value).startswith(str(path))


def test_a_safetensors_folder_or_its_file_is_the_same_net(tmp_path: Path, drawn: Dataset) -> None:
    file = tmp_path / "folder" / "model.safetensors"
    file.parent.mkdir()
    file.write_bytes(in_safetensors(source_of("best")))
    expected = infer(load("best"), drawn.test.images)
    for model in (file, file.parent, str(file.parent)):
        assert torch.equal(infer(load(model), drawn.test.images), expected)
    assert source_of(str(file.parent)).path == file
    served = served_net(str(file.parent))
    assert (served.name, served.onnx) == (file.name, (WEIGHTS / "best.onnx").read_bytes())
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"model\.safetensors is not a whole safetensors file"):
        load(file.parent)
    file.unlink()
    with pytest.raises(InputError, match=r"there is no .*model\.safetensors: expected the path of"):
        load(file.parent)


@pytest.mark.parametrize(("suffix", "module"), [(".onnx", "onnx"), (".safetensors", "safetensors")])
def test_a_missing_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, "tinydigits.net.graph", raising=False)
    monkeypatch.delattr("tinydigits.net.graph", raising=False)
    path = tmp_path / f"net{suffix}"
    path.write_bytes(b"")
    with pytest.raises(
        InputError, match=rf"needs {module}, .* pip install 'tinydigits\[{module}]'"
    ):
        load(path)


def test_a_whole_module_is_refused(tmp_path: Path) -> None:
    torch.save(load("best"), tmp_path / "net.pth")
    with pytest.raises(InputError, match=r"could run code; save the weights alone"):
        load(tmp_path / "net.pth")


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (changed("layers.conv3.weight", float("nan")), "conv3.weight contains numbers that are no"),
        (changed("layers.bn6.bias", float("-inf")), "bn6.bias contains numbers that are not fini"),
        (changed("layers.bn2.running_var", -0.1), "bn2.running_var contains negative numbers"),
        (changed("layers.conv1.weight", 3e38), "so large that the net's answers are not finite"),
        (best() | {"layers.conv1.bias": torch.zeros(8, dtype=torch.int8)}, "bias is torch.int8"),
        (best() | {"layers.conv1.bias": torch.zeros(8, dtype=torch.cfloat)}, "is torch.complex64"),
        (best() | {"layers.conv1.bias": torch.zeros(8).to_sparse()}, "bias is .* torch.sparse_coo"),
        (best() | {"layers.conv1.bias": torch.zeros(8, device="meta")}, "bias is .* on meta"),
        ({**best(), "module.layers.conv1.bias": torch.zeros(8)}, "expected absent"),
        (
            cast(torch.float64) | {"layers.bn1.bias": torch.full((8,), 1e39, dtype=torch.float64)},
            "not finite",
        ),
    ],
)
def test_weights_that_are_no_numbers_are_refused(
    tmp_path: Path, weights: Weights, message: str
) -> None:
    torch.save(weights, tmp_path / "net.pth")
    with pytest.raises(InputError, match=message) as refusal:
        load_net(tmp_path / "net.pth")
    assert str(refusal.value).startswith(str(tmp_path / "net.pth"))


def broken_checkpoint(path: Path) -> None:
    content = torch.load(WEIGHTS / "best.pth")
    torch.save(content | {"model_state_dict": changed("layers.conv3.weight", float("nan"))}, path)


@pytest.mark.parametrize(
    "command",
    [
        "predict --model nan.pth seven.jpg",
        "evaluate --model nan.pth",
        "export onnx nan.pth out",
        "export onnx --int8 nan.pth out",
        "export c nan.pth out",
        "export html nan.pth out",
        "export safetensors nan.pth out",
        "serve --model nan.pth --port 0",
        "evaluate --model nan.onnx images labels",
        "serve --model nan.onnx --port 0",
        "predict --model nan.onnx seven.jpg",
    ],
)
def test_every_command_refuses_broken_weights_in_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "seven.jpg").write_bytes((ROOT / "docs" / "seven.jpg").read_bytes())
    (tmp_path / "images").write_bytes(bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 28, 0, 0, 0, 28]))
    with (tmp_path / "images").open("ab") as images:
        images.write(bytes(392) + bytes([255]) * 392)
    (tmp_path / "labels").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 1, 7]))
    broken_checkpoint(tmp_path / "nan.pth")
    (tmp_path / "nan.onnx").write_bytes(broken_onnx())
    before = sorted(tmp_path.iterdir())
    assert main(command.split()) == 2
    printed, complained = capsys.readouterr()
    assert (printed, complained.count("\n")) == ("", 1)
    assert "contains numbers that are not finite: its training diverged" in complained
    assert sorted(tmp_path.iterdir()) == before


def broken_onnx() -> bytes:
    """The net ``best`` with one weight of the first layer that is not a number.

    onnxruntime's ReLU may turn it into 0, so that the net's answers are finite and wrong.
    """
    model = onnx.load_from_string((WEIGHTS / "best.onnx").read_bytes())
    name = next(node.input[1] for node in model.graph.node if node.op_type == "Conv")
    constant = next(each for each in model.graph.initializer if each.name == name)
    values = numpy_helper.to_array(constant).copy()
    values[0] = float("nan")
    constant.CopyFrom(numpy_helper.from_array(values, name))
    content: bytes = model.SerializeToString()
    return content


def test_resuming_from_broken_weights_is_refused(tmp_path: Path) -> None:
    broken_checkpoint(tmp_path / "last.pth")
    with pytest.raises(InputError, match=r"last\.pth cannot be used, .* are not finite"):
        last(tmp_path, None)  # type: ignore[arg-type]


def test_damage_anywhere_gets_one_line(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    torch.save(best(), buffer, _use_new_zipfile_serialization=False)
    path = tmp_path / "net.pth"
    # A damaged pickle makes its reader raise anything, from IndexError to AssertionError.
    for place in range(0, 3000, 50):
        damaged = bytearray(buffer.getvalue())
        damaged[place] ^= 0x55
        path.write_bytes(damaged)
        with suppress(InputError):
            load_net(path)
