from collections import OrderedDict
from collections.abc import Callable

import pytest
import torch
from torch import nn

from tinydigits.cli import main
from tinydigits.net.model import Net
from tinydigits.net.verify import check

NAMES = [
    "fewer than 20,000 parameters",
    "batch normalisation used",
    "dropout used",
    "global average pooling used",
    "output shape (B, 10)",
    "forward pass finite for batches 1, 2, 64",
    "no fully connected layer",
]


def replaced(**layers: nn.Module) -> Net:
    net = Net()
    for name, layer in layers.items():
        setattr(net.layers, name, layer)
    return net


def without(kind: type[nn.Module]) -> Net:
    net = Net()
    kept = ((name, layer) for name, layer in net.layers.named_children())
    net.layers = nn.Sequential(OrderedDict((n, m) for n, m in kept if not isinstance(m, kind)))
    return net


def broken() -> Net:
    net = Net()
    nn.init.constant_(net.get_parameter("layers.conv7.bias"), torch.nan)
    return net


MUTANTS: dict[str, Callable[[], nn.Module]] = {
    NAMES[0]: lambda: replaced(conv6=nn.Sequential(nn.Conv2d(24, 400, 1), nn.Conv2d(400, 16, 1))),
    NAMES[1]: lambda: without(nn.BatchNorm2d),
    NAMES[2]: lambda: without(nn.Dropout),
    NAMES[3]: lambda: replaced(average=nn.AvgPool2d(2)),
    NAMES[4]: lambda: replaced(conv7=nn.Conv2d(16, 11, 1)),
    NAMES[5]: broken,
    NAMES[6]: lambda: replaced(
        conv7=nn.Sequential(nn.Flatten(), nn.Linear(16, 10)), flatten=nn.Identity()
    ),
}


def test_net_passes_every_check() -> None:
    checks = check(Net())
    assert [each.name for each in checks] == NAMES
    assert all(each.passed for each in checks)


@pytest.mark.parametrize("name", NAMES)
def test_each_check_fails_on_a_mutant_and_the_others_do_not(name: str) -> None:
    failed = [each.name for each in check(MUTANTS[name]()) if not each.passed]
    assert failed == [name]


def test_dropout_of_rate_0_is_no_dropout() -> None:
    assert "dropout used" in [each.name for each in check(Net(dropout=0)) if not each.passed]


def test_limit_itself_is_too_many() -> None:
    spare = nn.Parameter(torch.zeros(20_000 - 13_034))
    net = Net()
    net.register_parameter("spare", spare)
    assert not check(net)[0].passed


def test_check_leaves_the_net_as_it_was() -> None:
    net = Net().train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    check(net)
    assert net.training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_command_prints_table_and_checks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify"]) == 0
    printed = capsys.readouterr().out
    assert "13,034" in printed
    assert "1,186,240" in printed
    assert printed.count("pass  ") == len(NAMES)


def test_command_exits_with_1_when_a_check_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tinydigits.net.command.Net", MUTANTS["dropout used"])
    assert main(["verify"]) == 1
    assert "FAIL  dropout used (0 layers)" in capsys.readouterr().out
