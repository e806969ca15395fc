"""Published results on MNIST's test digits: what their authors claim, not reproduced here.

``figures.py`` draws those with a place in a picture, ``leaderboard.py`` lists all of them.
"""

from typing import NamedTuple


class Anchor(NamedTuple):
    """A published result."""

    label: str
    """What the pictures call it."""
    accuracy: float
    """In per cent."""
    parameters: int | None
    """Where the pictures draw it; None if they leave it out."""
    seconds: float | None
    """Of training, as published; None if that was not published."""
    runs: str
    """What the pictures say of the runs."""
    source: str
    """Who claims it; an ``owner/name`` is a repository on GitHub."""
    protocol: str
    """How it was measured."""
    claim: str = ""
    """The accuracy as the source gives it, if that is more than ``accuracy`` to 0.01."""
    size: str = ""
    """The net's size as the source gives it, if that is other than ``parameters``."""
    bytes: int | None = None
    """Of its weights, if it is made for microcontrollers."""


ANCHORS = (
    Anchor(
        label="tuomaso/train_mnist_fast (GPU)",
        accuracy=99.04,
        parameters=215_000,
        seconds=0.76,
        runs="mean of 30",
        source="tuomaso/train_mnist_fast",
        protocol="mean of 30 runs of 0.76 s on a GTX 1660 Ti; tuned on the test digits",
    ),
    Anchor(
        label="sagarigrandhi/EVA4",
        accuracy=99.60,
        parameters=9_994,
        seconds=None,
        runs="one run",
        source="sagarigrandhi/EVA4, F7",
        protocol="one run of 15 epochs; tuned on the test digits",
    ),
    Anchor(
        label="TSAI assignments",
        accuracy=99.50,
        parameters=7_752,
        seconds=None,
        runs="one run",
        source="assignments of The School of AI (TSAI)",
        protocol="one run, mean of its last 3 epochs; tuned on the test digits",
        size="7,752 and 7,878",
    ),
    Anchor(
        label="the classic of this family",
        accuracy=99.47,
        parameters=13_808,
        seconds=None,
        runs="one run",
        source="a net of this family found in many public notebooks",
        protocol="one run each",
        claim="99.45–99.49",
    ),
    Anchor(
        label="ruslangrimov",
        accuracy=99.10,
        parameters=1_936,
        seconds=None,
        runs="one run, validation",
        source="ruslangrimov/mnist-minimal-model",
        protocol="one run with a validation split",
    ),
    Anchor(
        label="Matuzas (over a million)",
        accuracy=99.748,
        parameters=1_000_000,
        seconds=None,
        runs="mean of 20",
        source="Matuzas77/MNIST-0.17",
        protocol="mean and standard deviation of 20 single nets, last epoch",
        claim="99.748 ± 0.028",
        size="over 1,000,000",
    ),
    Anchor(
        label="ttdoucet",
        accuracy=99.738,
        parameters=None,  # it would lie on the one above
        seconds=None,
        runs="mean of 10",
        source="ttdoucet/mnist",
        protocol="mean and standard deviation of 10 single nets, last epoch",
        claim="99.738 ± 0.031",
        size="over 1,000,000",
    ),
    Anchor(
        label="BitNetMCU",
        accuracy=99.58,
        parameters=None,  # known in bytes only
        seconds=None,
        runs="one run",
        source="cpldcpu/BitNetMCU",
        protocol="one run of 120 epochs",
        size="13.04 kB, in part ternary",
        bytes=13_357,  # 106,854 bits
    ),
    Anchor(
        label="BitNetMCU, small",
        accuracy=99.06,
        parameters=None,
        seconds=None,
        runs="one run",
        source="cpldcpu/BitNetMCU",
        protocol="one run of 60 epochs",
        size="5.4 kB, in part 2 bits",
        bytes=5_360,  # 42,880 bits
    ),
)
