from .config import FinderConfig as FinderConfig
from .course import COURSE as COURSE
from .course import Losses as Losses
from .views import Views as Views
from .views import stream as stream
