import pytest
import torch

from tinydigits.evaluation import infer, report
from tinydigits.model import Net, normalise


@pytest.mark.parametrize("count", [1, 7, 8, 9, 20])
def test_every_image_is_answered_once_in_order(count: int) -> None:
    net = Net().eval()
    images = torch.randint(0, 256, (count, 28, 28), dtype=torch.uint8)
    logits = infer(net, images, batch_size=8)
    assert logits.shape == (count, 10)
    with torch.inference_mode():
        torch.testing.assert_close(logits, net(normalise(images)))


@pytest.mark.parametrize("training", [True, False])
def test_mode_and_running_statistics_are_left_as_they_were(training: bool) -> None:
    net = Net().train(training)
    before = net.state_dict()["layers.bn1.running_mean"].clone()
    infer(net, torch.zeros(3, 28, 28, dtype=torch.uint8))
    assert net.training is training
    assert torch.equal(net.state_dict()["layers.bn1.running_mean"], before)


def test_mode_is_put_back_after_an_error_too() -> None:
    net = Net().train()
    with pytest.raises(RuntimeError):
        infer(net, torch.zeros(3, 5, 5))
    assert net.training


def test_figures_of_a_case_done_by_hand() -> None:
    logits = torch.tensor([[2.0, 0.0], [0.0, 0.0], [0.0, 3.0], [1.0, 0.0]])
    labels = torch.tensor([0, 1, 1, 1], dtype=torch.uint8)
    result = report(logits, labels)
    # log(1 + e^-2), log 2, log(1 + e^-3), log(1 + e)
    loss = (0.126928 + 0.693147 + 0.048587 + 1.313262) / 4
    assert result.wrong_indices == [1, 3]
    assert (result.wrong, result.total, result.accuracy) == (2, 4, 50.0)
    assert result.loss == pytest.approx(loss, abs=1e-6)
    assert str(result) == "50.00 % (2 of 4 wrong)"


@pytest.mark.parametrize(("logits", "labels"), [(3, 2), (0, 0)])
def test_counts_that_do_not_fit_are_refused(logits: int, labels: int) -> None:
    with pytest.raises(ValueError, match=f"{logits} logits for {labels} labels"):
        report(torch.zeros(logits, 10), torch.zeros(labels))
