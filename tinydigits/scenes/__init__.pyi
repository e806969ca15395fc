from .drawing import Projection as Projection
from .mixture import view as view
from .settings import KINDS as KINDS
from .settings import setting as setting
from .staging import Scene as Scene
from .staging import Setting as Setting
from .staging import scene as scene
from .writing import Mark as Mark
