from .config import FinderConfig as FinderConfig
from .training import fit as fit
from .training import start as start
from .views import stream as stream
