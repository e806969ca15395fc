"""The ``tinydigits verify`` command."""

from tinydigits.net.model import Net, layer_table
from tinydigits.net.verify import check, render


def verify() -> int:
    """Print the layer table and the architecture checks; return 0, or 1 if a check fails."""
    net = Net()
    checks = check(net)
    print(render(layer_table(net), checks))
    return 0 if all(each.passed for each in checks) else 1
