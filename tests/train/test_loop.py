import dataclasses
from collections.abc import Iterable

import numpy as np
import pytest
import torch
from scipy.fft import dctn
from torch import Tensor
from torch.nn import functional

from tinydigits.data.dataset import Dataset, Digits
from tinydigits.evaluate.metrics import report
from tinydigits.net.inference import infer
from tinydigits.net.model import normalise
from tinydigits.train import steps as pytorch
from tinydigits.train.augment import NONE as STILL
from tinydigits.train.batches import Split, split
from tinydigits.train.config import Augmentation, Light, TrainConfig
from tinydigits.train.hardware import Compute, choose
from tinydigits.train.loop import State, fit, start
from tinydigits.train.schedule import OneCycle


def prepared(data: Dataset, config: TrainConfig, compute: Compute) -> tuple[State, Split]:
    digits = split(data, config)
    return start(config, len(digits.train), compute), digits


def trained(data: Dataset, config: TrainConfig, compute: Compute) -> State:
    state, digits = prepared(data, config, compute)
    list(fit(state, digits, config))
    return state


def same_weights(one: State, other: State) -> bool:
    pairs = zip(one.net.state_dict().values(), other.net.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_one_result_an_epoch_and_the_net_learns(
    drawn: Dataset, small: TrainConfig, compute: Compute
) -> None:
    config = dataclasses.replace(small, epochs=8, augmentation=Augmentation(0, 0, 0, 0))
    state, digits = prepared(drawn, config, compute)
    results = list(fit(state, digits, config))
    assert [result.epoch for result in results] == list(range(8))
    assert results[-1].train_loss < results[0].train_loss / 2
    assert results[-1].validation_accuracy is not None
    assert results[-1].validation_accuracy > 70
    assert state.history == results


def test_validation_figures_are_those_of_the_net_after_the_epoch(
    drawn: Dataset, small: TrainConfig, compute: Compute
) -> None:
    state, digits = prepared(drawn, small, compute)
    result = next(fit(state, digits, small))
    held_out = report(infer(state.net, digits.validation.images), digits.validation.labels)
    assert result.validation_wrong == held_out.wrong
    assert result.validation_loss == pytest.approx(held_out.nll)


def test_nothing_held_out_gives_no_validation_figures(
    drawn: Dataset, small: TrainConfig, compute: Compute
) -> None:
    state, digits = prepared(drawn, dataclasses.replace(small, val=0), compute)
    result = next(fit(state, digits, small))
    assert result.validation_loss is result.validation_accuracy is result.validation_wrong is None


@pytest.mark.parametrize("precision", ["auto", "fp32"])
def test_same_seed_gives_the_same_bits_and_another_does_not(
    drawn: Dataset, small: TrainConfig, precision: str
) -> None:
    compute = choose("cpu", precision)  # type: ignore[arg-type]
    torch.manual_seed(1)
    one = trained(drawn, small, compute)
    torch.manual_seed(2)  # what was drawn before must not matter
    other = trained(drawn, small, compute)
    assert same_weights(one, other)
    assert not same_weights(one, trained(drawn, dataclasses.replace(small, seed=1), compute))


def test_global_random_stream_is_left_alone(
    drawn: Dataset, small: TrainConfig, compute: Compute
) -> None:
    before = torch.random.get_rng_state()
    trained(drawn, small, compute)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_every_digit_is_trained_on_once_an_epoch(
    drawn: Dataset, small: TrainConfig, compute: Compute
) -> None:
    seen: list[int] = []

    def watch(batches: Iterable[Tensor]) -> Iterable[Tensor]:
        for batch in batches:
            seen.extend(batch.tolist())
            yield batch

    config = dataclasses.replace(small, batch_size=64, val=100)
    state, digits = prepared(drawn, config, compute)
    next(fit(state, digits, config, progress=watch))
    assert len(seen) % 64 != 0  # the last batch is smaller, and there
    assert sorted(seen) == list(range(500))


def test_every_epoch_has_its_own_order_and_its_own_moves(
    drawn: Dataset, small: TrainConfig, compute: Compute, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders: list[list[int]] = []
    streams: list[int] = []

    def watch(batches: Iterable[Tensor]) -> Iterable[Tensor]:
        kept = list(batches)
        orders.append(torch.cat(kept).tolist())
        return kept

    def spy(images: Tensor, _: Augmentation, *, generator: torch.Generator) -> Tensor:
        streams.append(generator.initial_seed())
        return images.float()

    monkeypatch.setattr(pytorch, "augment", spy)
    for seed in (0, 1):
        config = dataclasses.replace(small, seed=seed, epochs=2)
        state, digits = prepared(drawn, config, compute)
        list(fit(state, digits, config, progress=watch))
    assert len({tuple(order) for order in orders}) == 4
    assert len(set(streams)) == 4


def test_schedule_is_one_cycle_from_peak_over_10_down_to_a_hundredth_of_that(
    drawn: Dataset, small: TrainConfig, compute: Compute
) -> None:
    rates: list[float] = []
    state, digits = prepared(drawn, small, compute)

    def watch(batches: Iterable[Tensor]) -> Iterable[Tensor]:
        for batch in batches:
            yield batch
            rates.append(state.optimizers[0].param_groups[0]["lr"])

    list(fit(state, digits, small, progress=watch))
    assert len(rates) == 24
    assert rates[0] == pytest.approx(0.001)
    assert max(rates) == pytest.approx(0.01, rel=0.02)
    assert rates[-1] == pytest.approx(1e-5)


def visits(drawn: Dataset, config: TrainConfig, compute: Compute) -> list[list[int]]:
    """Return the digits that each epoch sees, in their order, before its steps change losses."""
    seen: list[list[int]] = []

    def watch(batches: Iterable[Tensor]) -> Iterable[Tensor]:
        kept = list(batches)
        seen.append(torch.cat(kept).tolist())
        return kept

    state, digits = prepared(drawn, config, compute)
    list(fit(state, digits, config, progress=watch))
    return seen


def test_later_epochs_see_their_share_of_the_digits_with_the_largest_losses(
    drawn: Dataset, small: TrainConfig, compute: Compute
) -> None:
    config = dataclasses.replace(small, epochs=3, shares=(0.5, 0.1))
    state, digits = prepared(drawn, config, compute)
    losses: list[Tensor] = []
    seen: list[list[int]] = []

    def watch(batches: Iterable[Tensor]) -> Iterable[Tensor]:
        kept = list(batches)
        losses.append(state.losses.clone())
        seen.append(torch.cat(kept).tolist())
        return kept

    list(fit(state, digits, config, progress=watch))
    assert (
        [len(set(each)) for each in seen] == [len(each) for each in seen] == [256, 64, 64]
    )  # whole batches
    for before, chosen in zip(losses[1:], seen[1:], strict=True):
        assert set(chosen) == set(before.topk(64).indices.tolist())
        assert chosen != sorted(chosen, key=before.__getitem__)
        assert chosen != sorted(chosen)
    assert set(seen[1]) <= set(seen[0])
    assert seen[0] != visits(drawn, dataclasses.replace(config, seed=1), compute)[0]


def test_losses_are_those_of_the_digits_when_they_were_last_seen(
    drawn: Dataset, small: TrainConfig, compute: Compute
) -> None:
    config = dataclasses.replace(small, epochs=1, batch_size=500, dropout=0.0, lr=1e-12, val=100)
    still = dataclasses.replace(config, augmentation=Augmentation(0, 0, 0, 0))
    state, digits = prepared(drawn, still, compute)
    state.net.train()
    with torch.no_grad():
        logits = state.net(normalise(digits.train.images))
    next(fit(state, digits, still))
    expected = functional.cross_entropy(logits, digits.train.labels.long(), reduction="none")
    torch.testing.assert_close(state.losses, expected, rtol=1e-3, atol=1e-3)


def test_the_schedules_end_with_the_last_step_of_shared_epochs(
    drawn: Dataset, small: TrainConfig, compute: Compute
) -> None:
    config = dataclasses.replace(small, epochs=3, shares=(0.5, 0.25, 0.1), optimizer="muon")
    state, digits = prepared(drawn, config, compute)
    list(fit(state, digits, config))
    cycle = OneCycle(4 + 2 + 1, config)
    assert len(state.optimizers) == 2
    for optimizer, peak in zip(state.optimizers, (config.muon_lr, config.lr), strict=True):
        assert optimizer.param_groups[0]["lr"] == cycle.rate(6, peak=peak)


def test_still_epochs_are_the_last_and_keep_their_light(
    drawn: Dataset, small: TrainConfig, compute: Compute, monkeypatch: pytest.MonkeyPatch
) -> None:
    strengths: list[Augmentation] = []
    lights: list[tuple[Light, int]] = []

    def moved(images: Tensor, strength: Augmentation, **_: torch.Generator) -> Tensor:
        strengths.append(strength)
        return images.float()

    def lit(images: Tensor, strength: Light, *, generator: torch.Generator) -> Tensor:
        lights.append((strength, generator.initial_seed()))
        return images

    monkeypatch.setattr(pytorch, "augment", moved)
    monkeypatch.setattr(pytorch, "relight", lit)
    config = dataclasses.replace(
        small, epochs=4, batch_size=500, still_epochs=1, light=Light(level=0.2)
    )
    state, digits = prepared(drawn, config, compute)
    list(fit(state, digits, config))
    assert strengths == [config.augmentation] * 3 + [STILL]
    assert {strength for strength, _ in lights} == {Light(level=0.2)}
    assert len({seed for _, seed in lights}) == 4


def test_smoothed_labels_make_the_net_less_sure(
    drawn: Dataset, small: TrainConfig, compute: Compute
) -> None:
    plain = dataclasses.replace(small, epochs=8, augmentation=Augmentation(0, 0, 0, 0))
    smooth = dataclasses.replace(plain, label_smoothing=0.3)
    sure, less = (
        torch.softmax(infer(trained(drawn, each, compute).net, drawn.train.images), dim=1)
        for each in (plain, smooth)
    )
    assert less.amax(dim=1).mean() < sure.amax(dim=1).mean() - 0.05


def test_cosine_filters_are_orthonormal_and_smooth(
    drawn: Dataset, small: TrainConfig, compute: Compute
) -> None:
    config = dataclasses.replace(small, first_filters="cosine")
    state, _ = prepared(drawn, config, compute)
    kernels = state.net.get_parameter("layers.conv1.weight").detach().flatten(1)
    torch.testing.assert_close(kernels @ kernels.T, torch.eye(8))
    # SciPy's transform of each kernel has a single coefficient, and none is the finest.
    for kernel in kernels.view(8, 3, 3).numpy():
        coefficients = np.abs(dctn(kernel, norm="ortho"))
        assert (coefficients > 1e-6).sum() == 1
        assert coefficients[2, 2] < 1e-6
    other, _ = prepared(drawn, small, compute)
    for name, value in state.net.state_dict().items():
        same = torch.equal(value, other.net.state_dict()[name])
        assert same != name.startswith("layers.conv1."), name


def test_dropout_rate_is_the_configs(drawn: Dataset, small: TrainConfig, compute: Compute) -> None:
    config = dataclasses.replace(small, dropout=0.3)
    state, _ = prepared(drawn, config, compute)
    rates = [m.p for m in state.net.modules() if isinstance(m, torch.nn.Dropout)]
    assert rates == [0.3, 0.3]


def test_one_epoch_on_real_digits_reaches_its_usual_accuracy(real: tuple[Digits, Digits]) -> None:
    # A floor and a ceiling: more than 99.85 % would mean that test digits leaked into training.
    train, test = real[0][:20_000], real[1]
    config = TrainConfig(epochs=1, val=0)
    state = start(config, len(train), choose("cpu", "auto"))
    next(fit(state, Split(train, train[:0]), config))
    accuracy = report(infer(state.net, test.images), test.labels).accuracy
    assert 97.5 < accuracy < 99.85
