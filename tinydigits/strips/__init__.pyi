from .config import StripConfig as StripConfig
from .course import COURSE as COURSE
from .rows import Row as Row
from .rows import stream as stream
