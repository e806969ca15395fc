"""Teaching the net in the page: its training step, lessons, undo and downloads."""

import base64
import importlib
import json
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch.nn import functional

from tests.conftest import ROOT
from tinydigits import infer, load
from tinydigits.data import synthetic
from tinydigits.export import html
from tinydigits.export.folded import fold, logits
from tinydigits.net.formats import unfolded
from tinydigits.net.layers import Convolution
from tinydigits.net.model import Net, normalise
from tinydigits.net.trained import source_of

pytest.importorskip("playwright", reason="no playwright: pip install playwright")
from playwright.sync_api import Page, expect

from tests.drawing import expect_answer, stroke, ways, write
from tests.web.test_numbers import expect_numbers, write_row
from tests.web.test_page import NARROW, some_digits

Pixels = npt.NDArray[np.uint8]

SHORT = "LESSON.steps = 25, LESSON.pool = 150"  # enough where it does not matter how well it learns
BYTES = "(text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0))"


def draw_mirrored(page: Page) -> None:
    """Draw a 3 in a mirror, which the net reads as an 8."""
    for points in ways(3):
        stroke(page, points * (-1, 1) + (1, 0))
    expect_answer(page, 8)


def teach(page: Page, digit: int) -> None:
    page.get_by_role("button", name=str(digit), exact=True).click()
    expect(page.locator("#count")).to_contain_text(f"Learnt: this is a {digit}")


def logits_in(page: Page, digits: Pixels) -> npt.NDArray[np.float64]:
    found = page.evaluate(
        f"""(content) => {{
          const bytes = ({BYTES})(content);
          return Array.from({{ length: bytes.length / 784 }}, (_, n) =>
            [...tinydigits.logits(bytes.subarray(784 * n, 784 * (n + 1)))]);
        }}""",
        base64.b64encode(digits.tobytes()).decode(),
    )
    return np.array(found)


# -- what is computed ------------------------------------------------------------------------------


STEPS = """async ([content, targets, count]) => {
  const { layers, weights } = JSON.parse(document.getElementById("net").textContent);
  const engine = await makeEngine(JSON.parse(document.getElementById("teacher").textContent).step);
  const pixels = BYTES(content);
  enterNumbers(engine, layers, new Float32Array(bytesOf(weights).buffer));
  engine.begin();
  const inOrder = (values) => {
    const found = [];
    eachNumber(layers, (there, here) => (found[here] = values[there]));
    return found;
  };
  let gradients, losses;
  for (let step = 1; step <= count; step++) {
    losses = targets.map((target, n) =>
      study(engine, pixels.subarray(784 * n, 784 * (n + 1)), target, 1 / targets.length));
    if (step === 1) gradients = inOrder(engine.gradients);
    engine.descend(0.01 / (1 - 0.9 ** step), 1 / (1 - 0.99 ** step));
  }
  return [losses, gradients, inOrder(engine.weights), [...numbersOf(engine, layers)]];
}""".replace("BYTES", f"({BYTES})")


def trainable(net: Net) -> list[torch.nn.Parameter]:
    """Return the weights and biases of convolutions, in the page's order."""
    return [value for name, value in net.named_parameters() if ".conv" in name]


def flat(values: list[Any]) -> npt.NDArray[np.float64]:
    return np.concatenate([value.detach().numpy().ravel() for value in values])


def test_gradients_and_steps_are_pytorchs(page: Page, few: Pixels) -> None:
    rng = np.random.default_rng(2)
    targets = rng.dirichlet(np.ones(10), len(few))  # also what is not a whole class
    sent = [base64.b64encode(few.tobytes()).decode(), targets.tolist(), 3]
    losses, gradients, stepped, folded = page.evaluate(STEPS, sent)
    net = Net().double().eval()
    net.load_state_dict(unfolded(Path("net"), fold(load())))
    images = normalise(torch.from_numpy(few)).double()
    adam = torch.optim.Adam(trainable(net), lr=0.01, betas=(0.9, 0.99), eps=1e-8)
    for step in range(3):
        adam.zero_grad()
        loss = functional.cross_entropy(net(images), torch.from_numpy(targets), reduction="none")
        loss.mean().backward()  # type: ignore[no-untyped-call]
        if not step:
            expected = flat([value.grad for value in trainable(net)])
            np.testing.assert_allclose(gradients, expected, rtol=0, atol=1e-5)
            assert np.abs(expected).max() > 0.1
        adam.step()
    np.testing.assert_allclose(losses, loss.detach().numpy(), atol=1e-3)
    wanted = flat(trainable(net))
    off = np.abs(np.array(stepped) - wanted)
    # Adam divides gradients by their size: the smallest ones are noise in either precision.
    assert np.quantile(off, 0.99) < 1e-4
    again = flat_layers(fold(net.float()))
    assert np.quantile(np.abs(np.array(folded) - again), 0.99) < 1e-4


def flat_layers(layers: list[Convolution]) -> npt.NDArray[np.float64]:
    parts = [values.ravel() for layer in layers for values in (layer.weight, layer.bias)]
    return np.concatenate(parts)


def as_layers(numbers: list[float]) -> list[Convolution]:
    """Return the layers with the page's numbers."""
    layers, start = fold(load()), 0
    for layer in layers:
        for values in (layer.weight, layer.bias):
            values[:] = np.reshape(numbers[start : start + values.size], values.shape)
            start += values.size
    return layers


def test_the_shipped_webassembly_is_the_sources() -> None:
    if not (shutil.which("clang") and shutil.which("wasm-ld")):
        pytest.skip("no clang for WebAssembly: apt-get install clang lld")
    step = importlib.import_module("benchmarks.step")
    made, shipped = step.compiled(), zlib.decompress((html.WEB / "step.wasm.zz").read_bytes())
    if not step.is_pinned():
        pytest.skip("another clang than Debian 12's; the gradients are tested in any case")
    assert made == shipped


def test_base_91_holds_any_bytes(page: Page) -> None:
    contents = [np.random.default_rng(size).bytes(size) for size in (*range(30), 3178)]
    texts = [html.base91(content) for content in contents]
    assert not set("".join(texts)) & set('"<\\ ')
    again = "(texts) => texts.map((text) => [[...bytesOf(text)], textOf(bytesOf(text))])"
    for content, text, found in zip(contents, texts, page.evaluate(again, texts), strict=True):
        assert found == [list(content), text]


def test_the_pages_synthetic_digits_are_digits(page: Page) -> None:
    content = page.evaluate(
        """async () => {
          const { hands } = JSON.parse(document.getElementById("teacher").textContent);
          const [draw, random] = [await makeDrawer(hands), randomFrom(1)];
          return Array.from({ length: 300 }, (_, n) => [...draw(n % 10, random)]);
        }"""
    )
    digits = np.array(content, np.uint8).reshape(-1, 28, 28)
    assert len(np.unique(digits, axis=0)) == 300
    rows, columns = np.nonzero(digits.max(axis=0))
    assert rows.min() >= 1
    assert columns.max() <= 26
    right = infer(load(), torch.from_numpy(digits)).argmax(1).numpy() == np.arange(300) % 10
    assert right.mean() >= 0.95


# -- what the user does ----------------------------------------------------------------------------


def test_one_tap_teaches_and_undo_takes_it_back(page: Page, few: Pixels) -> None:
    page.evaluate(SHORT)
    before = logits_in(page, few)
    expect(page.get_by_role("button", name="3", exact=True)).to_be_disabled()
    draw_mirrored(page)
    teach(page, 3)
    expect_answer(page, 3)
    first = logits_in(page, few)
    assert (first != before).any()
    page.get_by_role("button", name="Clear").click()
    write(page, 7)
    expect_answer(page, 7)
    page.keyboard.press("7")  # the right digit by its key
    expect(page.locator("#count")).to_have_text("Learnt: this is a 7 (2 examples)")
    assert page.get_by_role("list", name="Examples").get_by_role("listitem").all_inner_texts() == [
        "3",
        "7",
    ]
    page.get_by_role("button", name="Forget last").click()
    assert (logits_in(page, few) == first).all()
    page.get_by_role("button", name="Forget all").click()
    assert (logits_in(page, few) == before).all()
    expect(page.get_by_role("listitem")).to_have_count(0)
    expect(page.get_by_role("button", name="Forget all")).to_be_disabled()
    expect(page.get_by_role("button", name="Forget last")).to_be_disabled()


def test_a_lesson_can_be_cancelled(page: Page, few: Pixels) -> None:
    page.evaluate("LESSON.steps = 100_000, LESSON.pool = 20")
    before = logits_in(page, few)
    draw_mirrored(page)
    page.get_by_role("button", name="3", exact=True).click()
    expect(page.get_by_role("progressbar", name="Learning")).to_be_visible()
    page.get_by_role("button", name="Clear").click()  # the page responds while it learns
    expect(page.locator("#answer")).to_have_text("–")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#count")).to_have_text("Cancelled: the net is as before")
    expect(page.get_by_role("progressbar", name="Learning")).to_be_hidden()
    expect(page.get_by_role("listitem")).to_have_count(0)
    assert (logits_in(page, few) == before).all()


def test_one_digit_is_taught_at_a_time(page: Page) -> None:
    write_row(page, "17")
    expect_numbers(page, "17")
    expect(page.get_by_text("One digit can be taught at a time")).to_be_visible()
    expect(page.get_by_role("button", name="1", exact=True)).to_be_disabled()


def test_the_taught_net_can_be_taken_away(
    opened: Callable[..., Page], browser: Any, few: Pixels, tmp_path: Path
) -> None:
    page = opened(viewport=NARROW)
    page.evaluate(SHORT)
    draw_mirrored(page)
    teach(page, 3)
    assert page.evaluate("document.documentElement.scrollWidth") == NARROW["width"]
    taught = logits_in(page, few)
    paths = []
    for name in ("page", "checkpoint"):
        with page.expect_download() as download:
            page.get_by_role("button", name=f"Download {name}").click()
        paths.append(tmp_path / download.value.suggested_filename)
        download.value.save_as(paths[-1])
    file, checkpoint = paths
    found = infer(load(checkpoint), torch.from_numpy(few)).numpy()
    np.testing.assert_allclose(found, taught, rtol=0, atol=1e-4)
    assert source_of(str(checkpoint)).name == "digits-taught.safetensors"

    faults, asked = list[str](), list[str]()
    copy = browser.new_context().new_page()
    copy.on("console", lambda message: faults.append(message.text))
    copy.on("pageerror", lambda error: faults.append(str(error)))
    copy.on("request", lambda request: asked.append(request.url))
    copy.goto(file.as_uri())
    for points in ways(3):
        stroke(copy, points * (-1, 1) + (1, 0))
    expect_answer(copy, 3)
    assert (logits_in(copy, few) == taught).all()
    expect(copy.get_by_text("Net: people, taught")).to_be_visible()
    expect(copy.get_by_role("listitem")).to_have_count(0)
    assert not faults
    assert asked == [file.as_uri()]
    assert file.stat().st_size <= 350_000


def learn(page: Page, digits: Pixels, label: int) -> list[Convolution]:
    """Return the net that has learnt digits, in the page."""
    numbers = page.evaluate(
        f"""async ([content, label]) => {{
          const bytes = ({BYTES})(content);
          const examples = Array.from({{ length: bytes.length / 784 }}, (_, n) =>
            ({{ pixels: bytes.subarray(784 * n, 784 * (n + 1)), label }}));
          const {{ signal }} = new AbortController();
          return [...await tinydigits.lessons.learn(examples, signal)];
        }}""",
        [base64.b64encode(digits.tobytes()).decode(), label],
    )
    return as_layers(numbers)


def test_ten_examples_teach_a_style_and_other_digits_stay(page: Page) -> None:
    styles = {style.name: style for style in importlib.import_module("benchmarks.styles").styles()}
    images, labels = synthetic.draw(1000, seed=12)
    mnist = some_digits()
    before = infer(load(), torch.from_numpy(images)).argmax(1).numpy()
    same = infer(load(), torch.from_numpy(mnist.copy())).argmax(1).numpy()
    for name in ("mirrored 3, way 0", "7 as V"):
        style = styles[name]
        layers = learn(page, style.digits(10, "teach"), style.label)
        others = torch.from_numpy(style.digits(20, "read"))
        assert (infer(load(), others).argmax(1) == style.label).sum() <= 2
        assert (logits(layers, others).argmax(1) == style.label).sum() >= 19
        after = logits(layers, torch.from_numpy(images)).argmax(1).numpy()
        assert (before == labels).mean() - (after == labels).mean() <= 0.003
        kept = logits(layers, torch.from_numpy(mnist.copy())).argmax(1).numpy()
        assert (kept == same).mean() >= 0.985


def test_the_teacher_is_in_the_page(file: Path) -> None:
    content = file.read_text()
    told = json.loads(content.split('id="teacher">')[1].split("</script>")[0])
    assert len(told["hands"]["ways"]) == len(
        json.loads((html.WEB / "hands.json").read_text())["ways"]
    )
    assert str(ROOT) not in content
