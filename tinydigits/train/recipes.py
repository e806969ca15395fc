"""Recipes: named sets of training options, as data. All train the same 13,034-parameter net."""

from collections.abc import Iterator
from typing import Any, Literal

from tinydigits.train.config import Augmentation, Light, TrainConfig

Recipe = Literal["classic", "fast", "best", "people", "adapt"]

# The light of pictures that people take.
DIM = Light(
    level=0.4,  # grey paper, as long as ink and paper differ by half
    unevenness=0.3,  # shade over part of the picture
    contrast=0.5,  # faint ink
    blur=1.0,  # out of focus, or camera shake
    sharpening=2.0,  # as scanners and phones do
    outline=1.0,  # edges alone still show the digit
    noise=0.12,  # grain; 0.18 is worse on clean digits
    patches=2,  # dirt, lines, stickers; three are no better
    share=0.45,  # the rest keeps its light: damaged digits need no more
)

RECIPES: dict[Recipe, TrainConfig] = {
    # The specification's training: every option has its default.
    "classic": TrainConfig(),
    # The shortest training with a mean accuracy over seeds above 99.4 %.
    "fast": TrainConfig(
        # Three digits in eight once, then six epochs of the hardest thirteenth at the time. Digits
        # that no longer teach the net anything are not used again. In all, less than one pass.
        epochs=7,
        shares=(0.37, 0.075),
        batch_size=128,  # 256 gives too few steps; with 96, calls cost more than arithmetic
        optimizer="muon",  # reaches the same accuracy in half of Adam's steps
        muon_lr=0.05,  # 0.03 to 0.08 differ by less than seeds do
        lr=0.005,  # for Adam, on biases and batch norm only; 0.01 is worse
        schedule="linear",  # better than cosine for only 400 steps
        first_filters="cosine",  # saves the steps that would learn them
        label_smoothing=0.1,  # keeps gradients of correctly read digits from vanishing
        dropout=0.0,  # less than one pass is too short to overfit
        # Milder than the classic recipe's: hard digits are used up to seven times, easy ones once.
        augmentation=Augmentation(rotation=10, translation=0.05, scale=0.1, shear=5),
        still_epochs=1,  # ends on unmoved digits
        val=0,  # the last net is kept, so held-out digits have nothing to choose
    ),
    # The highest mean accuracy over seeds.
    "best": TrainConfig(
        epochs=30,  # 16 give a higher cross-entropy, and 60 are no better than 30
        batch_size=256,  # as good as 128, and a tenth faster
        optimizer="muon",  # 0.1 points better than Adam after 16 epochs
        muon_lr=0.04,  # twice as much is no better
        lr=0.005,  # for Adam, on biases and batch norm only
        schedule="linear",
        final_div_factor=10.0,  # ends at a hundredth of the peak
        dropout=0.0,  # 0.05 is no better: warped digits add enough variety
        # Milder than the classic recipe's, since MNIST's digits are centred and of one size; only
        # the elastic warping is new, and it lowers the cross-entropy.
        augmentation=Augmentation(rotation=12, translation=0.05, scale=0.1, shear=8, elastic=1.5),
        still_epochs=3,  # ends on unmoved digits, like the test digits
        val=0,  # as for fast
    ),
    # For the digits people write, in pictures that are shaded, out of focus, grainy or covered.
    "people": TrainConfig(
        hands=40_000,  # 30,000 read fewer hands, 60,000 fewer of MNIST's digits
        epochs=45,  # so much variety takes time; 60 are no better
        # The hardest digits at the time, after the first epoch: better on clean digits than all of
        # them in fewer epochs. With half of them, damaged digits suffer.
        shares=(1.0, 0.7),
        batch_size=256,  # as good as 128 for this many steps, and a tenth faster
        optimizer="muon",  # as for fast
        muon_lr=0.04,  # 0.02 and 0.08 are no better
        lr=0.005,
        schedule="linear",
        final_div_factor=10.0,  # ends at a hundredth of the peak
        dropout=0.0,  # varied light prevents overfitting
        # A little stronger than the classic recipe's: people's pictures are framed less precisely.
        augmentation=Augmentation(rotation=18, scale=0.2, elastic=1),
        light=DIM,
        still_epochs=6,  # ends on unmoved digits, as in MNIST: without, worse everywhere
        val=0,  # as for fast
    ),
    # A trained net learns a few pictures of one's own, in seconds, and forgets nothing.
    "adapt": TrainConfig(
        start="people",
        data=("auto=0.5",),  # half of what it trains on are digits that it knows
        shares=(0.067,),  # of a hundred own digits: 8,000, each of them forty times
        optimizer="muon",  # as for fast
        muon_lr=0.04,  # less learns less of the own digits and forgets no less of others
        lr=0.004,
        schedule="linear",
        epochs=1,
        dropout=0.0,
        augmentation=Augmentation(rotation=12, translation=0.05, scale=0.1, shear=8, elastic=1),
        light=DIM,  # as the net was trained
        blend=0.5,  # 0.6 forgets more, 0.4 learns less
        val=0,  # the last net is kept
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
