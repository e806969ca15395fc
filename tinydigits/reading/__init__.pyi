from .image import from_array as from_array
from .image import to_mnist as to_mnist
from .prediction import Prediction as Prediction
from .prediction import predict as predict
