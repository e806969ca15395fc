import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn import metrics
from torch import Tensor

from tinydigits.data.mnist import DISPUTED_TEST_LABELS
from tinydigits.evaluate.metrics import Report, report, wilson
from tinydigits.net.inference import infer
from tinydigits.net.model import Net, normalise
from tinydigits.net.shipped import DEFAULT, WEIGHTS


def of_probabilities(*rows: list[float], labels: list[int]) -> Report:
    """The report on a net that gives exactly these probabilities."""
    return report(torch.tensor(rows, dtype=torch.float64).log(), torch.tensor(labels))


def guesses(seed: int, count: int, certainty: float) -> tuple[Tensor, Tensor]:
    """Logits that correlate with their labels."""
    stream = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 10, (count,), dtype=torch.uint8, generator=stream)
    noise = torch.randn(count, 10, generator=stream)
    return certainty * (noise + 2 * torch.eye(10)[labels.long()]), labels


# No deadline: a machine with other work may need a second for any example.
any_report = settings(deadline=None, derandomize=True, max_examples=30)(
    given(
        st.builds(
            guesses, st.integers(0, 2**32), st.integers(1, 200), st.sampled_from([0.1, 1.0, 3.0])
        ).map(lambda pair: report(*pair))
    )
)


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
    nll = (0.126928 + 0.693147 + 0.048587 + 1.313262) / 4
    assert result.wrong_indices == [1, 3]
    assert (result.wrong, result.total, result.accuracy) == (2, 4, 50.0)
    assert result.answers.tolist() == [0, 0, 1, 0]
    assert result.nll == pytest.approx(nll, abs=1e-6)
    assert str(result) == "50.00 % (2 of 4 wrong)"


@pytest.mark.parametrize(("logits", "labels"), [(3, 2), (0, 0)])
def test_counts_that_do_not_fit_are_refused(logits: int, labels: int) -> None:
    with pytest.raises(ValueError, match=f"{logits} logits for {labels} labels"):
        report(torch.zeros(logits, 10), torch.zeros(labels))


def test_likelihood_of_a_sure_and_right_answer_is_not_rounded_away() -> None:
    # In float32 this is 0: 1 + exp(-20) has no place for its second term.
    assert report(torch.tensor([[20.0, 0.0]]), torch.tensor([0])).nll == pytest.approx(
        math.exp(-20), rel=1e-6
    )


def test_probabilities_of_a_case_done_by_hand() -> None:
    result = report(torch.tensor([[0.0, math.log(3)], [1000.0, 0.0]]), torch.tensor([0, 0]))
    assert result.probabilities.dtype == torch.float64
    assert result.probabilities.tolist() == [pytest.approx([0.25, 0.75]), [1, 0]]


def test_classes_of_a_case_done_by_hand() -> None:
    answers, labels = [0, 0, 1, 1, 1], [0, 1, 1, 1, 1]
    result = report(torch.eye(4)[answers], torch.tensor(labels, dtype=torch.uint8))
    assert result.confusion.tolist() == [[1, 0, 0, 0], [1, 3, 0, 0], [0] * 4, [0] * 4]
    assert result.precision == (50, 100, None, None)
    assert result.recall == (100, 75, None, None)


def test_a_class_never_answered_has_recall_and_one_never_there_has_precision() -> None:
    result = report(torch.eye(2)[[0, 0, 0]], torch.tensor([1, 1, 1]))
    assert result.confusion.tolist() == [[0, 0], [3, 0]]
    assert (result.precision, result.recall) == ((0, None), (None, 0))


def test_calibration_of_a_case_done_by_hand() -> None:
    # Two digits in the bin from 13/15 to 14/15, one right; a right one in that from 9/15 to 10/15.
    result = of_probabilities([0.90, 0.10], [0.08, 0.92], [0.62, 0.38], labels=[0, 0, 0])
    low, high = result.calibration
    assert (low.lower, low.upper, low.right, low.count) == (9 / 15, 10 / 15, 1, 1)
    assert [low.confidence, low.accuracy] == [pytest.approx(0.62), 1]
    assert (high.lower, high.upper, high.right, high.count) == (13 / 15, 14 / 15, 1, 2)
    assert [high.confidence, high.accuracy] == [pytest.approx(0.91), 0.5]
    assert result.ece == pytest.approx((2 * (0.91 - 0.5) + (1 - 0.62)) / 3)


@pytest.mark.parametrize(("logits", "upper"), [([0.0, 0.0, 0.0], 5), ([1000.0, 0.0, 0.0], 15)])
def test_a_probability_on_an_edge_belongs_to_the_bin_below(logits: list[float], upper: int) -> None:
    (only,) = report(torch.tensor([logits]), torch.tensor([0])).calibration
    assert (only.lower, only.upper) == ((upper - 1) / 15, upper / 15)


def slow_ece(probabilities: list[list[float]], labels: list[int]) -> float:
    total = 0.0
    for k in range(15):
        inside = [
            (max(row), row[label] == max(row))
            for row, label in zip(probabilities, labels, strict=True)
            if k / 15 < max(row) <= (k + 1) / 15
        ]
        total += abs(sum(right for _, right in inside) - sum(sure for sure, _ in inside))
    return total / len(labels)


@any_report
def test_figures_are_those_of_scikit_learn(result: Report) -> None:
    labels, answers, classes = result.labels.numpy(), result.answers.numpy(), list(range(10))
    precision, recall, _, _ = metrics.precision_recall_fscore_support(
        labels, answers, labels=classes, zero_division=np.nan
    )
    # The order of the sums differs, so the last digits may.
    assert result.accuracy == pytest.approx(100 * metrics.accuracy_score(labels, answers))
    confusion = metrics.confusion_matrix(labels, answers, labels=classes)
    assert result.confusion.tolist() == confusion.tolist()
    for ours, theirs in ((result.precision, precision), (result.recall, recall)):
        shares = [math.nan if share is None else share for share in ours]
        assert shares == pytest.approx(100 * theirs, nan_ok=True)
    likelihood = metrics.log_loss(labels, result.probabilities.numpy(), labels=classes)
    assert result.nll == pytest.approx(likelihood)


@any_report
def test_calibration_error_is_that_of_a_slow_loop_over_all_digits(result: Report) -> None:
    slow = slow_ece(result.probabilities.tolist(), result.labels.tolist())
    assert result.ece == pytest.approx(slow, abs=1e-12)
    assert 0 <= result.ece <= 1


@any_report
def test_every_digit_is_in_one_bin_and_one_cell(result: Report) -> None:
    assert sum(b.count for b in result.calibration) == result.confusion.sum() == result.total
    right = sum(b.right for b in result.calibration)
    assert right == result.confusion.trace() == result.total - result.wrong
    assert all(b.lower < b.confidence <= b.upper + 1e-12 for b in result.calibration)


@settings(deadline=None, derandomize=True)
@given(st.integers(1, 20_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_interval_is_that_of_scipy(counts: tuple[int, int]) -> None:
    theirs = binomtest(*counts).proportion_ci(method="wilson")
    assert wilson(*counts) == pytest.approx((100 * theirs.low, 100 * theirs.high), abs=1e-5)


def test_interval_is_exact_at_its_ends() -> None:
    for total in range(1, 300):
        low, high = wilson(0, total)
        assert low == 0 < high < 100
        assert list(wilson(total, total)) == [pytest.approx(100 - high), 100]


def test_interval_is_that_of_the_accuracy() -> None:
    result = report(torch.eye(2)[[0] * 100], torch.tensor([0] * 90 + [1] * 10))
    # Wilson's interval of 90 in 100, as tables print it.
    assert result.interval == pytest.approx((82.56, 94.48), abs=0.005)


def test_without_some_digits_the_figures_are_those_of_the_others() -> None:
    logits, labels = guesses(0, 40, 1.0)
    before = logits.clone(), labels.clone()
    left = report(logits, labels).without(iter([0, 7, 39]))
    others = [i for i in range(40) if i not in (0, 7, 39)]
    assert torch.equal(left.logits, logits[others])
    assert torch.equal(left.labels, labels[others])
    assert torch.equal(logits, before[0])
    assert torch.equal(labels, before[1])


def test_without_none_all_are_left_and_without_all_none_is() -> None:
    result = report(*guesses(0, 5, 1.0))
    assert result.without([]).total == 5
    with pytest.raises(ValueError, match="0 logits for 0 labels"):
        result.without(range(5))
    with pytest.raises(IndexError):
        result.without([5])


def test_disputed_labels_are_7_of_the_default_nets_52_mistakes() -> None:
    mistakes = json.loads((WEIGHTS / f"{DEFAULT}.json").read_text())
    assert len(set(DISPUTED_TEST_LABELS)) == 15
    assert max(DISPUTED_TEST_LABELS) < 10_000
    assert len(mistakes["wrong_indices"]) == 52
    assert len(set(DISPUTED_TEST_LABELS) & set(mistakes["wrong_indices"])) == 7


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("figure", ["probabilities", "calibration", "ece"])
def test_the_first_digit_whose_logits_are_no_numbers_is_named(bad: float, figure: str) -> None:
    logits = torch.zeros(5, 10)
    logits[2, 3] = logits[4, 0] = bad
    result = report(logits, torch.zeros(5))
    with pytest.raises(ValueError, match=f"digit 2 has the logits .*{bad}.*: expected finite"):
        getattr(result, figure)


def test_a_diverged_net_has_an_accuracy_and_no_likelihood() -> None:
    result = report(torch.full((3, 10), math.nan), torch.zeros(3))
    assert 0 <= result.accuracy <= 100
    assert math.isnan(result.nll)
