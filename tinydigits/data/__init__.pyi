from .dataset import Dataset as Dataset
from .dataset import Digits as Digits
from .dataset import load_dataset as load_dataset
from .idx import parse as parse
