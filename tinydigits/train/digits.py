"""The digits of a training run: MNIST, synthetic digits and sets of one's own, put together."""

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial, reduce
from operator import add
from pathlib import Path

import torch
from torch import Tensor

from tinydigits.data.dataset import Dataset, Digits, drawn_hands, load_dataset
from tinydigits.data.sources import NAMED, Wanted, check_shares, parse_sources
from tinydigits.errors import warn
from tinydigits.evaluate.assessment import SAMPLE, Answers, Change, changed, missing_changes
from tinydigits.evaluate.metrics import report
from tinydigits.net.inference import infer
from tinydigits.net.trained import load
from tinydigits.seeds import derive
from tinydigits.sets import own

LEGIBLE = 50.0  # per cent right: what a built-in net reads less of is hardly digits
DONE: dict[Change, str] = {"invert": "inverted", "transpose": "transposed"}


def load_digits(data: Sequence[str], directory: Path, *, hands: int, strokes: str) -> Dataset:
    """Return the digits that values of ``--data`` name; those of MNIST come from ``directory``.

    ``hands`` and ``strokes`` are as in ``TrainConfig``.

    Raises:
        InputError: a source or ``strokes`` cannot be used, or ``data`` is no list of sources.
    """
    wanted = parse_sources(data)
    check_shares(wanted)
    sources = [_source(each, directory) for each in wanted]
    one = sources[0] if len(sources) == 1 else _together(sources, [each.share for each in wanted])
    return replace(one, hands=drawn_hands(hands, strokes))


def _source(wanted: Wanted, directory: Path) -> Dataset:
    for name in NAMED:
        if wanted.name == name:
            return load_dataset(name, directory)
    return _own(Path(wanted.name))


def _own(path: Path) -> Dataset:
    """Return a set of one's own, white on black and upright."""
    found = own.read(path)
    train, test = found.train, found.test
    told = [str(path)]
    if found.is_held_out:
        told.append("every sixth of a class held out to test")
    if not found.is_prepared:
        sample = train[_shuffled(len(train))[:SAMPLE]]
        answers = partial(infer, load())
        changes = missing_changes(answers, sample)
        train, test = changed(train, changes), changed(test, changes)
        told += [DONE[change] for change in changes]
        _tell_what_it_is(path, answers, changed(sample, changes))
    content = hashlib.sha256(train.images.numpy().tobytes() + train.labels.numpy().tobytes())
    # The name tells a set from another one in the same place, as when a run is resumed.
    name = f"{path.absolute().name} ({content.hexdigest()[:8]})"
    return Dataset(name, train, test, origin=", ".join(told), is_own=True)


def _tell_what_it_is(path: Path, answers: Answers, sample: Digits) -> None:
    right = report(answers(sample.images), sample.labels).accuracy
    if right < LEGIBLE:
        warn(
            f"the default net reads {right:.0f} % of {path} as it is labelled: its classes 0 to 9 "
            "are probably not digits, and a net that is trained on them reads no digits"
        )


def _together(sources: Sequence[Dataset], shares: Sequence[float | None]) -> Dataset:
    """Return the digits of several sources, each used as often as its share asks for.

    No digit is left out: those of a source that is too small for its share are used several times.
    """
    counts = [len(each.train) for each in sources]
    times = [
        _times(count, total) for count, total in zip(counts, _totals(counts, shares), strict=True)
    ]
    return Dataset(
        name=" + ".join(each.name for each in sources),
        train=reduce(add, [each.train for each in sources]),
        test=reduce(add, [each.test for each in sources]),
        origin="; ".join(_origins(sources, times)),
        warning=next((each.warning for each in sources if each.warning), None),
        times=torch.cat(times),
        tests=tuple((each.name, len(each.test)) for each in sources),
        is_own=any(each.is_own for each in sources),
    )


def _totals(counts: Sequence[int], shares: Sequence[float | None]) -> list[int]:
    """Return how many digits of each source an epoch uses: as few as use every digit once."""
    free = sum(count for count, share in zip(counts, shares, strict=True) if share is None)
    rest = 1 - sum(share or 0 for share in shares)
    wanted = [
        rest * count / free if share is None else share
        for count, share in zip(counts, shares, strict=True)
    ]
    total = max(count / share for count, share in zip(counts, wanted, strict=True))
    return [max(count, round(total * share)) for count, share in zip(counts, wanted, strict=True)]


def _times(count: int, total: int) -> Tensor:
    """Return how often each of ``count`` digits is used for ``total`` in all, int64 (count,)."""
    times = torch.full((count,), total // count)
    times[_shuffled(count)[: total % count]] += 1
    return times


def _shuffled(count: int) -> Tensor:
    return torch.randperm(count, generator=torch.Generator().manual_seed(derive(0, "sources")))


def _origins(sources: Sequence[Dataset], times: Sequence[Tensor]) -> Iterator[str]:
    for each, used in zip(sources, times, strict=True):
        mean = used.double().mean().item()
        often = "" if math.isclose(mean, 1) else f" {mean:.3g} times each"
        yield f"{len(used):,}{often} from {each.origin}"
