from .config import FinderConfig as FinderConfig
from .training import FinderState as FinderState
from .training import Losses as Losses
from .training import Progress as Progress
from .training import fit as fit
from .training import start as start
from .views import Views as Views
from .views import stream as stream
