from .comparison import Comparison as Comparison
from .comparison import comparison_of as comparison_of
from .ledger import Ledger as Ledger
from .ledger import Run as Run
from .student import Summary as Summary
from .student import pairs_needed as pairs_needed
from .student import summarise as summarise
