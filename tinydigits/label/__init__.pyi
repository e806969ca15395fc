from .copies import Copies as Copies
from .journal import Decision as Decision
from .scans import Scan as Scan
from .session import OutdatedError as OutdatedError
from .session import Session as Session
from .suggestions import Answer as Answer
from .suggestions import Reader as Reader
from .suggestions import Suggestion as Suggestion
