"""The options of a training run: the single source for flags, help, checkpoints and records."""

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from tinydigits.data.sources import MODEL, parse_sources
from tinydigits.errors import InputError

Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "fp32", "bf16"]
EngineName = Literal["auto", "torch", "c"]
Optimiser = Literal["adam", "muon"]
Schedule = Literal["cosine", "linear"]
Filters = Literal["random", "cosine"]
WeightBits = Literal[4, 32]

FLOAT: WeightBits = 32  # weights that are not rounded


@dataclass(frozen=True)
class Augmentation:
    """Geometric augmentation: each training image draws its own values, uniformly."""

    rotation: float = 15.0
    """Largest rotation in either direction, in degrees."""
    translation: float = 0.1
    """Largest shift in either direction along each axis, as a share of the image's side."""
    scale: float = 0.1
    """Largest relative change of size: 0.1 draws factors from 0.9 to 1.1."""
    shear: float = 10.0
    """Largest shear in either direction, in degrees."""
    elastic: float = 0.0
    """Largest shift of 4x4 lattice points along each axis, in pixels; the image bends smoothly."""

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
    """Light augmentation: each training image draws its own values, uniformly.

    By default nothing changes: digits are white on black, as in MNIST.
    """

    level: float = 0.0
    """Largest brightening of the whole background, as a share of white."""
    unevenness: float = 0.0
    """Largest additional local brightening, smooth over the image, as a share of white."""
    contrast: float = 0.0
    """Largest loss of contrast: 0.6 keeps from 40 to 100 %."""
    blur: float = 0.0
    """Largest weight of a blurred copy (binomial, 17 pixels), drawn separately for each axis."""
    sharpening: float = 0.0
    """Largest multiple of the difference from the blurred copy, added instead of blurring."""
    diagonal: float = 0.0
    """Share of the images blurred or sharpened along the two diagonals, not rows and columns."""
    outline: float = 0.0
    """Largest multiple of a copy blurred along both axes, subtracted in half of the images.
    The edges remain."""
    noise: float = 0.0
    """Largest standard deviation of independent pixel noise, as a share of white."""
    specks: float = 0.0
    """Largest height of specks, as a share of white: noise in half of the images that leaves most
    pixels unchanged."""
    patches: int = 0
    """Number of rectangles of random grey; each covers part of the image with probability 1/2."""
    bars: int = 0
    """Number of bars of random grey, at most as long as the image and half as wide; each covers
    part of the image with probability 1/2."""
    turned: float = 0.0
    """Share of the bars that are turned, by any angle; the others stand upright."""
    share: float = 1.0
    """Share of the images to which all this applies; the rest stay unchanged."""

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            if name not in ("sharpening", "patches", "bars"):
                _require(0 <= value <= 1, f"light.{name}", value, "from 0 to 1")
        _require(0 <= self.sharpening < math.inf, "light.sharpening", self.sharpening, "at least 0")
        _require(self.patches >= 0, "light.patches", self.patches, "at least 0")
        _require(self.bars >= 0, "light.bars", self.bars, "at least 0")


@dataclass(frozen=True)
class TrainConfig:
    """All options that affect a training run's result; the defaults are the classic recipe."""

    seed: int = 0
    """Seed of every random stream: initial weights, order, augmentation, dropout."""
    epochs: int = 10
    """Passes over the training digits."""
    batch_size: int = 128
    """Digits per step."""
    lr: float = 0.01
    """Peak learning rate of the one-cycle schedule."""
    div_factor: float = 10.0
    """The schedule starts at lr / div_factor."""
    final_div_factor: float = 100.0
    """The schedule ends at lr / div_factor / final_div_factor."""
    schedule: Schedule = "cosine"
    """Shape of the learning rate's rise over the first 30 % of the steps and of its fall after."""
    first_filters: Filters = "random"
    """Initial kernels of the first convolution: random, or cosine patterns."""
    optimizer: Optimiser = "adam"
    """Adam for all parameters, or Muon for the convolution kernels and Adam for the rest."""
    muon_lr: float = 0.04
    """Peak learning rate of Muon, which follows the same schedule."""
    weight_decay: float = 1e-5
    """Adam's L2 penalty."""
    label_smoothing: float = 0.0
    """Share of each target spread evenly over the ten classes."""
    dropout: float = 0.1
    """Share of activations dropped after each of the first two blocks."""
    weight_bits: WeightBits = FLOAT
    """Bits of a convolution's weights; with 4, training rounds them, for export c --int4."""
    val: int = 5_000
    """Training digits held out to choose the best epoch; 0 trains on all digits."""
    data: tuple[str, ...] = ()
    """Digits to use: mnist, synthetic, or a path of your own; repeat the option to put several
    together, and add =0.25 to let a quarter of the training digits come from one. By default
    MNIST's, or synthetic digits if they cannot be found or downloaded."""
    start: str = ""
    """Net to train further: a built-in net's name or a file; by default weights are random."""
    blend: float = 1.0
    """How far the result lies on the way from the net that training began with to its last one.
    Half way, it has learned the new digits and still reads the old ones."""
    hands: int = 0
    """Digits drawn as people everywhere write them, to train on as well."""
    strokes: str = MODEL
    """What hands are drawn from: the package's model of shapes, or UNIPEN files of pen strokes;
    give a file or a folder."""
    device: Device = "auto"
    """Device to train on; auto prefers cuda, then mps, then cpu."""
    precision: Precision = "auto"
    """Arithmetic of a training step; auto uses bf16 if the processor supports it natively."""
    engine: EngineName = "auto"
    """What computes a training step: PyTorch, or a program in C that a C compiler makes here;
    auto uses C where it can."""
    augmentation: Augmentation = field(default_factory=Augmentation)
    light: Light = field(default_factory=Light)
    still_epochs: int = 0
    """Number of final epochs without geometric augmentation."""
    shares: tuple[float, ...] = (1.0,)
    """Share of the digits used in each epoch; the last value applies to all later epochs.
    Digits with the largest loss when last seen are chosen."""

    local_statistics: bool = False
    """With several processes: normalise each process's share of a batch separately.
    This is faster, but the result then depends on the number of processes."""

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
        _require(
            self.weight_bits in get_args(WeightBits), "weight-bits", self.weight_bits, "4 or 32"
        )
        _require(self.val >= 0, "val", self.val, "at least 0")
        parse_sources(self.data)  # raises what is wrong with it
        _require(0 < self.blend <= 1, "blend", self.blend, "above 0 and at most 1")
        _require(
            self.blend == 1 or self.start != "",
            "blend",
            self.blend,
            "1 without a net to --start from",
        )
        _require(self.hands >= 0, "hands", self.hands, "at least 0")
        _require(
            self.strokes == MODEL or self.hands > 0,
            "hands",
            self.hands,
            f"above 0 to draw from {self.strokes}: --hands 40000, for example",
        )
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
        """Return the config for the dict that ``to_dict`` returned.

        Raises:
            InputError: a key is unknown, or a value is out of range.
        """
        values = {"engine": "torch"} | values  # of runs before there was another
        for name, group in (("augmentation", Augmentation), ("light", Light)):
            options = dict(values.get(name, {}))
            _refuse_unknown(group, options)
            values[name] = group(**options)
        _refuse_unknown(cls, values)
        if isinstance(values.get("data"), str):
            # Of runs before there could be several, where it stood for what is now the default.
            values["data"] = [] if values["data"] == "auto" else [values["data"]]
        for name in ("data", "shares"):
            if name in values:
                values[name] = tuple(values[name])  # JSON has no tuples
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
