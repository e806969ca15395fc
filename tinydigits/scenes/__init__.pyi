from . import settings as settings
from . import writing as writing
from .mixture import view as view
from .scene import Scene as Scene
from .scene import Setting as Setting
from .scene import scene as scene
from .settings import KINDS as KINDS
from .settings import setting as setting
