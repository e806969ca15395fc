from .corruptions import KINDS as KINDS
from .corruptions import corrupt as corrupt
from .metrics import Report as Report
from .metrics import report as report
from .metrics import wilson as wilson
