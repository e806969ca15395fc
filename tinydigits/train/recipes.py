"""Recipes: what to train for, as data. Every one of them trains the same 13,034-parameter net."""

from collections.abc import Iterator
from typing import Any, Literal

from tinydigits.train.config import Augmentation, Light, TrainConfig

Recipe = Literal["classic", "fast", "best", "robust"]

RECIPES: dict[Recipe, TrainConfig] = {
    # The specification's: every option has its default.
    "classic": TrainConfig(),
    # The shortest training whose mean over seeds is above 99.4 %.
    "fast": TrainConfig(
        # Three digits in eight once; then six times a thirteenth, those hardest by then: what
        # teaches the net nothing more is not seen again. In all less than one pass.
        epochs=7,
        shares=(0.37, 0.075),
        batch_size=128,  # with 256 too few steps, with 96 calls cost more than arithmetic
        optimizer="muon",  # needs half of the steps that Adam needs to the same accuracy
        muon_lr=0.05,  # 0.03 to 0.08 differ by less than the seeds do
        lr=0.005,  # of Adam, for biases and batch norm only; 0.01 is worse
        schedule="linear",  # better than cosine where there are 400 steps in all
        first_filters="cosine",  # spares the steps that would find them
        label_smoothing=0.1,  # keeps gradients of digits that are right already alive
        dropout=0.0,  # nothing is learned by heart in less than a pass
        # Milder than the classic recipe's: hard digits come up to seven times, easy ones once.
        augmentation=Augmentation(rotation=10, translation=0.05, scale=0.1, shear=5),
        still_epochs=1,  # ends on the digits as they are
        val=0,  # the last net is kept, so that there is nothing to choose by held-out digits
    ),
    # The highest mean over seeds.
    "best": TrainConfig(
        epochs=30,  # 16 have a higher cross-entropy, and 60 are no better than 30
        batch_size=256,  # as good as 128, and a tenth faster
        optimizer="muon",  # 0.1 points better than Adam after 16 epochs
        muon_lr=0.04,  # twice as much is no better
        lr=0.005,  # of Adam, for biases and batch norm only
        schedule="linear",
        final_div_factor=10.0,  # ends at a hundredth of the peak
        dropout=0.0,  # 0.05 is no better: the warped digits are variety enough
        # Everything is milder than the classic recipe's but the warping, which lowers the
        # cross-entropy: MNIST's digits are centred and of one size already.
        augmentation=Augmentation(rotation=12, translation=0.05, scale=0.1, shear=8, elastic=1.5),
        still_epochs=3,  # ends on the digits as they are, which the test digits are too
        val=0,  # as for fast
    ),
    # Pictures as people take them: in the shade, out of focus, grainy, partly covered.
    "robust": TrainConfig(
        epochs=30,  # so much variety takes time: eight are 0.3 points worse on clean digits
        batch_size=256,  # as good as 128 where the steps are many, and a tenth faster
        optimizer="muon",  # as for fast
        muon_lr=0.04,
        lr=0.005,
        schedule="linear",
        final_div_factor=10.0,  # ends at a hundredth of the peak
        dropout=0.0,  # varied light keeps the net from learning digits by heart
        # A little more than the classic recipe's, since pictures are framed worse than MNIST.
        augmentation=Augmentation(rotation=18, scale=0.2, elastic=1),
        light=Light(
            level=0.4,  # grey paper, up to where ink and paper still differ by half
            unevenness=0.3,  # shade that falls over a part of the picture
            contrast=0.5,  # faint ink
            blur=1.0,  # out of focus, or moved
            sharpening=2.0,  # as scanners and telephones do
            outline=1.0,  # edges alone still say which digit it is
            noise=0.12,  # grain; with 0.2 and more of the rest, all gets worse
            patches=2,  # dirt, lines, stickers; three are too many
            share=0.6,  # the rest is lit as MNIST is: without such digits 0.1 points worse there
        ),
        still_epochs=3,  # ends on the digits where they are, as in MNIST
        val=0,  # as for fast
    ),
}


def options_of(recipe: Recipe) -> list[str]:
    """Return the command-line options that turn the defaults into the recipe."""
    return list(_differences("", TrainConfig().to_dict(), RECIPES[recipe].to_dict()))


def _differences(prefix: str, default: dict[str, Any], chosen: dict[str, Any]) -> Iterator[str]:
    for name, value in chosen.items():
        if isinstance(value, dict):
            yield from _differences(f"{prefix}{name}.", default[name], value)
        elif value != default[name]:
            yield f"--{prefix}{name}".replace("_", "-")
            yield from map(str, value if isinstance(value, tuple) else (value,))
