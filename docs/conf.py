"""The documentation site, which ``make docs`` builds.

Its source folder is the repository and not ``docs/``, so that a relative link leads to the same
file on GitHub and on the site.
"""

import sys
from pathlib import Path

import numpy.typing as npt
from sphinx.application import Sphinx
from sphinx.project import Project
from sphinx.util.typing import stringify_annotation
from starlette.types import ASGIApp

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS), str(DOCS.parent)]

import tinydigits  # noqa: E402 - the package that lies here, installed or not
from tinydigits.export import html  # noqa: E402
from tinydigits.net.graph import layers_of  # noqa: E402
from tinydigits.net.shipped import net_file  # noqa: E402

project = "tinydigits"
author = "The tinydigits authors"
release = tinydigits.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sources",  # docs/sources.py
]
root_doc = "index"
include_patterns = [
    "docs/**",
    "records/*/README.md",
    "examples/*/README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
]
exclude_patterns = [".*", "build", "checkpoints", "data", "dist", "site"]  # spares a walk

html_theme = "furo"
html_title = "tinydigits"
pygments_dark_style = "a11y-dark"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False  # the licence says it
html_theme_options = {  # the colours of the drawing page
    "light_css_variables": {"color-brand-primary": "#176b87", "color-brand-content": "#176b87"},
    "dark_css_variables": {"color-brand-primary": "#7cc7e0", "color-brand-content": "#7cc7e0"},
}

myst_heading_anchors = 4  # as GitHub names them
nb_execution_mode = "off"  # the tutorial is shown as it was run; a test runs it again
nb_merge_streams = True  # a cell's prints are one block

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
python_maximum_signature_line_length = 88

nitpicky = True
nitpick_ignore_regex = [
    # Other projects' names lead nowhere: to find their pages takes a network.
    (r"py:.*", r"(collections|contextlib|ctypes|numpy|os|pathlib|PIL|starlette|torch)\..*"),
]

_path2doc = Project.path2doc


def path2doc(self: Project, filename: str) -> str | None:
    """Return a page's name, from which its address is made: without the folder ``docs/``."""
    name = _path2doc(self, filename)
    # Where GitHub begins with the README, the site begins with a page of its own.
    return "index" if name == "README" else name and name.removeprefix("docs/")


Project.path2doc = path2doc  # Sphinx has no option for it


def setup(app: Sphinx) -> None:
    """Register what is done beyond Sphinx's own."""
    app.connect("autodoc-process-docstring", describe_attributes, priority=400)
    app.connect("autodoc-process-signature", shorten)
    app.connect("build-finished", write_demo)


def describe_attributes(_: Sphinx, what: str, *rest: object) -> None:
    """Keep napoleon from taking the words before an attribute's first colon for its type."""
    if what in ("attribute", "property"):
        rest[-1][:0] = ["..", ""]  # an empty comment, which has no colon


SHORT = {  # what autodoc writes out, and the name that the source has for it
    stringify_annotation(npt.ArrayLike, "smart"): "~numpy.typing.ArrayLike",
    stringify_annotation(ASGIApp, "smart"): "~starlette.types.ASGIApp",
    "<factory>": "...",  # a default that dataclasses make anew: Sphinx could not parse it
}


def shorten(*event: object) -> tuple[str | None, str | None]:
    """Return a signature's parameters and type with the names that its source has."""
    *_, parameters, returned = event
    for long, short in SHORT.items():
        parameters, returned = (
            each and each.replace(long, short) for each in (parameters, returned)
        )
    return parameters, returned


def write_demo(app: Sphinx, error: Exception | None) -> None:
    """Write the page that ``tinydigits export html people`` writes, from the shipped ONNX file."""
    if error is None and app.builder.name == "html":
        file = net_file("people", suffix=".onnx")
        layers = layers_of(file.read_bytes(), file)
        (Path(app.outdir) / "demo.html").write_bytes(html.page(layers, "people"))
