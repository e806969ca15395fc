"""tinydigits: a handwritten-digit recogniser with 13,034 parameters.

The public names are imported when they are first used, so that ``tinydigits --help`` answers
without waiting for torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from tinydigits.checkpoint import load_net as load_net
    from tinydigits.config import Augmentation as Augmentation
    from tinydigits.config import TrainConfig as TrainConfig
    from tinydigits.data.dataset import load_dataset as load_dataset
    from tinydigits.errors import InputError as InputError
    from tinydigits.errors import NoDigit as NoDigit
    from tinydigits.evaluation import infer as infer
    from tinydigits.evaluation import report as report
    from tinydigits.image import to_mnist as to_mnist
    from tinydigits.model import Net as Net
    from tinydigits.model import layer_table as layer_table
    from tinydigits.model import normalise as normalise
    from tinydigits.prediction import Prediction as Prediction
    from tinydigits.prediction import load as load
    from tinydigits.prediction import predict as predict
    from tinydigits.training import fit as fit
    from tinydigits.verify import check as check

_PUBLIC = {
    "Augmentation": "tinydigits.config:Augmentation",
    "InputError": "tinydigits.errors:InputError",
    "Net": "tinydigits.model:Net",
    "NoDigit": "tinydigits.errors:NoDigit",
    "Prediction": "tinydigits.prediction:Prediction",
    "TrainConfig": "tinydigits.config:TrainConfig",
    "check": "tinydigits.verify:check",
    "fit": "tinydigits.training:fit",
    "infer": "tinydigits.evaluation:infer",
    "layer_table": "tinydigits.model:layer_table",
    "load": "tinydigits.prediction:load",
    "load_dataset": "tinydigits.data.dataset:load_dataset",
    "load_net": "tinydigits.checkpoint:load_net",
    "normalise": "tinydigits.model:normalise",
    "predict": "tinydigits.prediction:predict",
    "report": "tinydigits.evaluation:report",
    "to_mnist": "tinydigits.image:to_mnist",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'tinydigits' has no attribute {name!r}")
    module, _, attribute = _PUBLIC[name].partition(":")
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted(__all__)
