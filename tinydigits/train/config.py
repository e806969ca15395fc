"""The options of a training run: the only source of flags, help, checkpoints and records."""

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any, Literal

from tinydigits.data.sources import Source
from tinydigits.errors import InputError

Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "fp32", "bf16"]
Optimiser = Literal["adam", "muon"]
Schedule = Literal["cosine", "linear"]
Filters = Literal["random", "cosine"]


@dataclass(frozen=True)
class Augmentation:
    """How far each training image may be moved; every image draws its own values, uniformly."""

    rotation: float = 15.0
    """Largest turn either way, in degrees."""
    translation: float = 0.1
    """Largest shift either way and along each axis, as a share of the image's side."""
    scale: float = 0.1
    """Largest change of size: 0.1 draws factors between 0.9 and 1.1."""
    shear: float = 10.0
    """Largest slant either way, in degrees."""
    elastic: float = 0.0
    """Largest shift along each axis, in pixels, at sixteen points between which the rest bends."""

    def __post_init__(self) -> None:
        _require(
            0 <= self.rotation <= 180,
            "augmentation.rotation",
            self.rotation,
            "from 0 to 180 degrees",
        )
        _require(
            0 <= self.translation <= 1, "augmentation.translation", self.translation, "from 0 to 1"
        )
        _require(0 <= self.scale < 1, "augmentation.scale", self.scale, "at least 0 and below 1")
        _require(
            0 <= self.shear < 90,
            "augmentation.shear",
            self.shear,
            "at least 0 and below 90 degrees",
        )
        _require(
            0 <= self.elastic < math.inf, "augmentation.elastic", self.elastic, "at least 0 pixels"
        )


@dataclass(frozen=True)
class Light:
    """How far each training image's light may change; every image draws its own values, uniformly.

    Nothing changes by default: white digits on black, as in MNIST.
    """

    level: float = 0.0
    """Largest rise of the whole background, as a share of white."""
    unevenness: float = 0.0
    """Largest further rise in places, smooth over the picture, as a share of white."""
    contrast: float = 0.0
    """Largest loss of contrast: 0.6 keeps between 40 and 100 %."""
    blur: float = 0.0
    """Largest share of a blurred copy (binomial, 17 pixels) in the picture, along either axis by
    itself."""
    sharpening: float = 0.0
    """Largest multiple by which the difference to that copy is added instead."""
    outline: float = 0.0
    """Largest share of a copy blurred along both axes that is taken away, in half of the pictures,
    which leaves the edges."""
    noise: float = 0.0
    """Largest standard deviation of every pixel's own noise, as a share of white."""
    patches: int = 0
    """Rectangles that may lie over the picture, each in half of the pictures, of any grey."""
    share: float = 1.0
    """Share of the pictures that all this may happen to; the others stay as they are."""

    def __post_init__(self) -> None:
        for name in ("level", "unevenness", "contrast", "blur", "outline", "noise", "share"):
            _require(
                0 <= getattr(self, name) <= 1, f"light.{name}", getattr(self, name), "from 0 to 1"
            )
        _require(0 <= self.sharpening < math.inf, "light.sharpening", self.sharpening, "at least 0")
        _require(self.patches >= 0, "light.patches", self.patches, "at least 0")


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides what a training run computes; the defaults are the classic recipe."""

    seed: int = 0
    """Names every random stream of the run: initial weights, order, augmentation, dropout."""
    epochs: int = 10
    """Passes over the training digits."""
    batch_size: int = 128
    """Digits a step."""
    lr: float = 0.01
    """Peak learning rate of the one-cycle schedule."""
    div_factor: float = 10.0
    """The schedule starts at lr / div_factor."""
    final_div_factor: float = 100.0
    """The schedule ends at lr / div_factor / final_div_factor."""
    schedule: Schedule = "cosine"
    """How the learning rate rises over the first 30 % of the steps and falls after."""
    first_filters: Filters = "random"
    """What the first convolution starts as: random kernels, or patterns of cosines."""
    optimizer: Optimiser = "adam"
    """Adam for all parameters, or Muon for the convolutions' kernels and Adam for the rest."""
    muon_lr: float = 0.04
    """Peak learning rate of Muon, which follows the same schedule."""
    weight_decay: float = 1e-5
    """Adam's L2 penalty."""
    label_smoothing: float = 0.0
    """Share of each target that is spread evenly over the ten digits."""
    dropout: float = 0.1
    """Share of activations dropped after each of the first two blocks."""
    val: int = 5_000
    """Training digits held out to choose the best epoch; 0 trains on all of them."""
    data: Source = "auto"
    """MNIST, synthetic digits, or MNIST where it is there or can be fetched."""
    device: Device = "auto"
    """Where to train; auto prefers cuda, then mps, then cpu."""
    precision: Precision = "auto"
    """Arithmetic of a training step; auto is bf16 where the processor has it natively."""
    augmentation: Augmentation = field(default_factory=Augmentation)
    light: Light = field(default_factory=Light)
    still_epochs: int = 0
    """Last epochs that see the digits where they are, without augmentation."""
    shares: tuple[float, ...] = (1.0,)
    """Share of the digits that each epoch sees, the last one for all that follow: those with the
    largest losses when they were last seen."""

    local_statistics: bool = False
    """Where several processes train: normalise each one's share of a batch by itself. Faster, and
    no longer the same training whatever their number."""

    def __post_init__(self) -> None:
        _require(self.seed >= 0, "seed", self.seed, "at least 0")
        _require(self.epochs >= 1, "epochs", self.epochs, "at least 1")
        _require(self.batch_size >= 1, "batch-size", self.batch_size, "at least 1")
        _require(_positive(self.lr), "lr", self.lr, "above 0, such as 0.01")
        _require(_positive(self.div_factor), "div-factor", self.div_factor, "above 0")
        _require(
            _positive(self.final_div_factor), "final-div-factor", self.final_div_factor, "above 0"
        )
        _require(0 <= self.weight_decay < math.inf, "weight-decay", self.weight_decay, "at least 0")
        _require(0 <= self.dropout < 1, "dropout", self.dropout, "at least 0 and below 1")
        _require(
            0 <= self.label_smoothing < 1,
            "label-smoothing",
            self.label_smoothing,
            "at least 0 and below 1",
        )
        _require(_positive(self.muon_lr), "muon-lr", self.muon_lr, "above 0, such as 0.04")
        _require(self.val >= 0, "val", self.val, "at least 0")
        _require(self.still_epochs >= 0, "still-epochs", self.still_epochs, "at least 0")
        _require(
            len(self.shares) > 0 and all(0 < share <= 1 for share in self.shares),
            "shares",
            " ".join(map(str, self.shares)) or "empty",
            "one or more shares above 0 and at most 1, such as 1.0",
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the options as nested dicts of built-in types."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "TrainConfig":
        """Return the config that ``to_dict`` described.

        Raises:
            InputError: a key is unknown, or a value is out of range.
        """
        values = dict(values)
        for name, group in (("augmentation", Augmentation), ("light", Light)):
            options = dict(values.get(name, {}))
            _refuse_unknown(group, options)
            values[name] = group(**options)
        _refuse_unknown(cls, values)
        if "shares" in values:
            values["shares"] = tuple(values["shares"])  # JSON has lists only
        return cls(**values)


def _positive(value: float) -> bool:
    return 0 < value < math.inf


def _require(valid: bool, option: str, found: float | str, expected: str) -> None:
    if not valid:
        raise InputError(f"--{option} is {found}, but must be {expected}")


def _refuse_unknown(options: type, values: dict[str, Any]) -> None:
    known = {field.name for field in dataclasses.fields(options)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise InputError(
            f"unknown option {', '.join(unknown)} for {options.__name__}: "
            f"expected {', '.join(sorted(known))}"
        )
