from .data.dataset import load_dataset as load_dataset
from .errors import InputError as InputError
from .errors import NoDigit as NoDigit
from .evaluate.metrics import report as report
from .net.formats import load_net as load_net
from .net.inference import infer as infer
from .net.model import Net as Net
from .net.model import layer_table as layer_table
from .net.model import normalise as normalise
from .net.trained import load as load
from .net.verify import check as check
from .reading.image import to_mnist as to_mnist
from .reading.page import Page as Page
from .reading.prediction import Prediction as Prediction
from .reading.prediction import predict as predict
from .reading.reading import read as read
from .train.config import Augmentation as Augmentation
from .train.config import TrainConfig as TrainConfig
from .train.loop import fit as fit

__version__: str
