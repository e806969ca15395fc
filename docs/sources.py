"""Pages for source files and folders: what the guide links to, and each object's own lines.

GitHub shows both for the same relative link. (``sphinx.ext.viewcode`` has pages only for modules
that the reference describes, and the guide could not link to them.)
"""

import inspect
from collections.abc import Iterator
from functools import reduce
from html import escape
from importlib import import_module
from pathlib import Path
from typing import Any

from docutils import nodes
from pygments.lexers import get_lexer_for_filename
from pygments.util import ClassNotFound
from sphinx import addnodes
from sphinx.application import Sphinx

ROOT = Path(__file__).parent.parent
UNKNOWN = (addnodes.download_reference, addnodes.pending_xref)  # what files and folders become


def setup(app: Sphinx) -> None:
    """Register the steps: find and add links while reading, make their pages after writing."""
    app.connect("doctree-read", lead_links, priority=400)  # before they are taken for downloads
    app.connect("doctree-read", link_objects)
    app.connect("html-collect-pages", pages)


def lead_links(app: Sphinx, doctree: nodes.document) -> None:
    """Lead every link to a source file or folder to its page."""
    here = Path(app.env.doc2path(app.env.docname)).parent
    for link in [each for kind in UNKNOWN for each in doctree.findall(kind)]:
        if link["reftype"] != "myst" or link["refdomain"]:
            continue
        path = (here / link["reftarget"]).resolve()
        if is_shown(path):
            link.replace_self(link_to(app, path, link.children))


def link_objects(app: Sphinx, doctree: nodes.document) -> None:
    """Give every object of the reference a link to its source."""
    for signature in doctree.findall(addnodes.desc_signature):
        found = place_of(signature.get("module"), signature.get("fullname"))
        if found and is_shown(found[0]):
            text = nodes.inline("", "[source]", classes=["viewcode-link"])  # as Furo knows it
            signature += link_to(app, found[0], [text], f"#line-{found[1]}")


def link_to(app: Sphinx, path: Path, text: list[Any], anchor: str = "") -> nodes.reference:
    """Return a link from the page that is read to the page that shows a path."""
    address = app.builder.get_relative_uri(app.env.docname, page_of(app, path)) + anchor
    return nodes.reference("", "", *text, internal=True, refuri=address)


def place_of(module: str, name: str) -> tuple[Path, int] | None:
    """Return the file and line that define an object, or None for one without code."""
    try:
        thing = reduce(getattr, name.split("."), import_module(module))
        code = getattr(thing, "fget", getattr(thing, "func", thing))  # a property's function
        return Path(inspect.getfile(code)), inspect.getsourcelines(code)[1]
    except (AttributeError, TypeError):  # a field, a constant
        return None


def is_shown(path: Path) -> bool:
    """Return whether a path is a folder or a text file of the repository."""
    if ROOT not in path.parents or not path.exists():
        return False
    if any(part[0] == "." or part == "__pycache__" for part in path.relative_to(ROOT).parts):
        return False
    try:
        return path.is_dir() or bool(path.read_text("utf-8"))
    except UnicodeDecodeError:
        return False


def page_of(app: Sphinx, path: Path) -> str:
    """Return the name of the page that shows a path; what has none yet gets one."""
    name = path.relative_to(ROOT).as_posix()
    for known in (app.env.path2doc(str(path)), name, f"{name}/README"):
        if known in app.env.found_docs:
            return known
    shown: dict[str, Path] = vars(app.env).setdefault("tinydigits_sources", {})
    if name not in shown:
        shown[name] = path
        for each in contents(path):
            page_of(app, each)
    return name


def contents(path: Path) -> list[Path]:
    """Return what a folder's page lists; a file has nothing to list."""
    return sorted(filter(is_shown, path.iterdir())) if path.is_dir() else []


def pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield name, context and template of each page."""
    for name, path in vars(app.env).get("tinydigits_sources", {}).items():
        heading = escape(name).replace("/", "/<wbr>")
        body = folder(app, path) if path.is_dir() else source(app, path)
        yield name, {"title": name, "body": f"<h1>{heading}</h1>{body}"}, "page.html"


def folder(app: Sphinx, path: Path) -> str:
    """Return a folder's contents as a list of links."""
    items = []
    for each in contents(path):
        address = app.builder.get_relative_uri(page_of(app, path), page_of(app, each))
        items.append(f'<li><a href="{address}">{escape(each.name)}</a></li>')
    return f"<ul>{''.join(items)}</ul>"


def source(app: Sphinx, path: Path) -> str:
    """Return a file's highlighted text."""
    # A template's placeholders are no error, whatever its language says.
    highlight = app.builder.highlighter.highlight_block
    return highlight(path.read_text("utf-8"), language(path), force=True, linespans="line")


def language(path: Path) -> str:
    """Return the name by which Pygments knows a file's language."""
    try:
        return get_lexer_for_filename(path.name).aliases[0]
    except ClassNotFound:
        return "text"
