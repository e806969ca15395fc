from .api import application as application
from .served import ServedNet as ServedNet
from .served import served_net as served_net
