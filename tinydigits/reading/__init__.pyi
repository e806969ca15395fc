from .image import from_array as from_array
from .image import to_mnist as to_mnist
from .page import Page as Page
from .page import ReadDigit as ReadDigit
from .page import ReadLine as ReadLine
from .prediction import Prediction as Prediction
from .prediction import predict as predict
from .reading import read as read
