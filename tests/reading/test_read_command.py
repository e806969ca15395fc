"""``tinydigits read``: files in, numbers out, and one line for whatever is wrong."""

import csv
import io
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import ExifTags, Image

from tests.pictures import page, row
from tests.processes import started, wait_for
from tinydigits import workers
from tinydigits.cli import main
from tinydigits.errors import InputError
from tinydigits.reading import page as reading
from tinydigits.reading import read_command as command
from tinydigits.workers import Pool

TWO = ("407", "38")


@pytest.fixture(scope="session")
def drawn_pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("numbers")
    row("195").save(folder / "2.png")
    page(*TWO).save(folder / "10.webp")
    return folder


@pytest.fixture(autouse=True)
def _pictures(drawn_pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with a picture of a line and one of two, and some that hold no number."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(drawn_pictures, "scans")
    Image.new("L", (90, 90), 255).save("empty.png")
    Path("notes.png").write_text("no picture")
    Path("nothing").mkdir()


Capture = pytest.CaptureFixture[str]


def printed(capsys: Capture, *arguments: str, code: int = 0) -> str:
    assert main(["read", *arguments]) == code
    return capsys.readouterr().out


def objects(capsys: Capture, *arguments: str) -> list[Any]:
    lines = printed(capsys, "--json", *arguments).splitlines()
    return [json.loads(line) for line in lines]


def refused(capsys: Capture, *arguments: str) -> str:
    """Run a command that must fail and print nothing; return its only line on standard error."""
    assert main(["read", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return err


def stdin_is(monkeypatch: pytest.MonkeyPatch, file: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(Path(file).read_bytes())))


def test_a_line_of_digits_is_a_line_of_text(capsys: Capture) -> None:
    assert printed(capsys, "scans/10.webp") == "407\n38\n"


@pytest.mark.parametrize("names", [["scans"], ["sc*/*"], ["scans/2.png", "scans/10.webp"]])
def test_several_pictures_stand_under_their_names_in_order(
    capsys: Capture, names: list[str]
) -> None:
    assert printed(capsys, *names) == "scans/2.png:\n195\n\nscans/10.webp:\n407\n38\n"


def test_json_tells_lines_digits_boxes_and_probabilities(capsys: Capture) -> None:
    one, two = objects(capsys, "scans")
    assert (one["file"], two["file"]) == ("scans/2.png", "scans/10.webp")
    assert (one["text"], two["text"]) == ("195", "407\n38")
    assert set(two) == {"file", "text", "lines"}
    for number, (line, text) in enumerate(zip(two["lines"], TWO, strict=True)):
        assert set(line) == {"text", "box", "probability", "digits"}
        assert line["text"] == text
        digits = line["digits"]
        assert all(set(each) == {"digit", "probability", "box"} for each in digits)
        assert [each["digit"] for each in digits] == [int(digit) for digit in text]
        boxes = np.array([each["box"] for each in digits])
        assert boxes[:, 0] == pytest.approx([40 + 60 * place for place in range(len(text))], abs=9)
        assert boxes[:, 3] == pytest.approx(124 * number + 94, abs=9)
        assert line["box"] == [*boxes[:, :2].min(axis=0), *boxes[:, 2:].max(axis=0)]
        assert 0 < line["probability"] <= min(each["probability"] for each in digits) <= 1


def test_csv_has_a_row_for_each_line(capsys: Capture) -> None:
    Path("scans/2.png").rename('scans/2, "mine".png')
    expected = objects(capsys, "scans")
    header, *rows = csv.reader(io.StringIO(printed(capsys, "--csv", "scans")))
    assert header == ["file", "line", "text", "probability"]
    assert [each[:3] for each in rows] == [
        ['scans/2, "mine".png', "1", "195"],
        ["scans/10.webp", "1", "407"],
        ["scans/10.webp", "2", "38"],
    ]
    sure = [line["probability"] for each in expected for line in each["lines"]]
    assert [float(each[3]) for each in rows] == pytest.approx(sure, abs=1e-4)


def test_a_digit_in_doubt_is_a_question_mark(capsys: Capture) -> None:
    (told,) = objects(capsys, "scans/2.png")
    sure = [each["probability"] for each in told["lines"][0]["digits"]]
    bound = sorted(sure)[1]  # as probable as this is no doubt
    text = "".join("?" if each < bound else digit for digit, each in zip("195", sure, strict=True))
    assert text.count("?") == 1
    arguments = ("scans/2.png", "--doubt", repr(bound))
    assert printed(capsys, *arguments) == f"{text}\n"
    assert list(csv.reader(printed(capsys, "--csv", *arguments).splitlines()))[1][2] == text
    (doubted,) = objects(capsys, *arguments)
    assert doubted["text"] == doubted["lines"][0]["text"] == text
    assert doubted["lines"][0]["digits"] == told["lines"][0]["digits"]


def test_standard_input_is_a_picture_too(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    stdin_is(monkeypatch, "scans/10.webp")
    assert printed(capsys, "-", "--save-marked", "marked") == "407\n38\n"
    with Image.open("marked/0000-stdin.png") as copy:
        assert copy.size == (240, 248)


def marked(capsys: Capture, file: str, *arguments: str) -> npt.NDArray[np.int_]:
    """The marked copy of a picture, and nothing else."""
    printed(capsys, file, "--save-marked", "marked/here", *arguments)
    (path,) = Path("marked/here").iterdir()
    with Image.open(path) as copy:
        pixels = np.asarray(copy).astype(int)
    path.unlink()
    return pixels


def is_red(pixels: npt.NDArray[np.int_]) -> npt.NDArray[np.bool_]:
    return pixels[..., 0] - pixels[..., 1] > 99


def test_marked_copies_have_boxes_and_answers(capsys: Capture) -> None:
    (told,) = objects(capsys, "scans/2.png")
    copy = marked(capsys, "scans/2.png")
    assert copy.shape == (124, 240, 3)
    for digit in told["lines"][0]["digits"]:
        left, upper, right, lower = digit["box"]
        assert is_red(copy)[upper : lower + 1, left].all()
        assert is_red(copy)[lower, left : right + 1].all()
        assert is_red(copy)[:upper, left:right].any()
    doubted = marked(capsys, "scans/2.png", "--doubt", "1")
    assert not np.array_equal(copy, doubted)
    assert np.array_equal(copy[40:], doubted[40:])


def test_copies_of_pictures_with_the_same_name_are_numbered(capsys: Capture) -> None:
    printed(capsys, "scans", "empty.png", "scans", "--save-marked", "marked", code=1)
    names = sorted(path.name for path in Path("marked").iterdir())
    assert names == ["0000-2.png", "0001-10.png", "0002-2.png", "0003-10.png"]


def test_an_answer_stays_within_the_copy(capsys: Capture) -> None:
    row("195", top=4, size=(240, 124)).save("high.png")
    lower = max(each["box"][3] for each in objects(capsys, "high.png")[0]["lines"][0]["digits"])
    assert is_red(marked(capsys, "high.png"))[lower + 2 :].any()


def sixteen_bits() -> Image.Image:
    return Image.fromarray(257 * np.asarray(row("195")).astype(np.uint16))


def ink_alone() -> Image.Image:
    """Black ink on nothing: its colours without their opacity are all black."""
    empty = Image.new("L", row("195").size)
    opacity = Image.fromarray(255 - np.asarray(row("195")))
    return Image.merge("RGBA", (empty, empty, empty, opacity))


@pytest.mark.parametrize("draw", [sixteen_bits, ink_alone])
def test_a_copy_of_any_kind_of_picture_shows_it(
    capsys: Capture, draw: Callable[[], Image.Image]
) -> None:
    draw().save("odd.png")
    copy, plain = marked(capsys, "odd.png"), np.asarray(row("195"))
    drawn = ~is_red(copy) & (copy.min(axis=2) == copy.max(axis=2))  # no letter's soft edge
    assert (np.abs(copy[..., 0] - plain)[drawn] < 3).mean() > 0.99
    assert drawn.mean() > 0.9


def test_boxes_are_those_of_the_picture_set_upright(capsys: Capture) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # the phone was turned to the left
    row("195").rotate(90, expand=True).save("turned.png", exif=exif)
    (told,), (upright,) = (objects(capsys, each) for each in ("turned.png", "scans/2.png"))
    assert told["lines"] == upright["lines"]
    assert np.array_equal(marked(capsys, "turned.png"), marked(capsys, "scans/2.png"))


def test_pictures_without_a_number_get_a_line_and_the_rest_go_on(capsys: Capture) -> None:
    names = ["notes.png", "scans/2.png", "empty.png", "gone.png"]
    assert main(["read", "--csv", *names]) == 1
    out, err = capsys.readouterr()
    assert [line.rpartition(",")[0] for line in out.splitlines()] == [
        "file,line,text",
        "scans/2.png,1,195",
    ]
    assert err.splitlines() == [
        "error: notes.png: not a picture in a readable format: expected one such as PNG or JPEG",
        "error: empty.png: no handwritten digit was found",
        "error: gone.png: No such file or directory; expected a complete picture file",
    ]


@pytest.mark.parametrize("form", [[], ["--json"], ["--csv"]])
def test_no_digit_is_no_text(capsys: Capture, form: list[str]) -> None:
    told = refused(capsys, "empty.png", "--save-marked", "marked", *form)
    assert told == "error: empty.png: no handwritten digit was found\n"
    assert not Path("marked").exists()


@pytest.mark.parametrize(
    ("limit", "most", "message"),
    [
        ("MOST_DIGITS", 5, None),
        ("MOST_DIGITS", 4, "5 digits, but at most 4 are read: crop the picture"),
        ("MOST_LINES", 2, None),
        ("MOST_LINES", 1, "2 lines of digits, but at most 1 are read: crop the picture"),
    ],
)
def test_more_than_is_read_gets_a_line_with_the_limit(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, limit: str, most: int, message: str | None
) -> None:
    assert (reading.MOST_DIGITS, reading.MOST_LINES) == (200, 100)
    monkeypatch.setattr(reading, limit, most)
    if message:
        assert refused(capsys, "scans/10.webp") == f"error: scans/10.webp: {message}\n"
    else:
        assert printed(capsys, "scans/10.webp") == "407\n38\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "no picture given: expected files, folders, patterns, or - for standard input"),
        ("*.bmp", "no file matches *.bmp: expected a pattern such as"),
        ("nothing", "nothing contains no pictures: expected files such as .png or .jpg"),
        ("scans --json --csv", "--json and --csv cannot be given together: leave out one of the"),
        ("scans --doubt 2", "--doubt is 2.0, but must be from 0 to 1"),
        ("scans --doubt -0.1", "--doubt is -0.1, but must be from 0 to 1"),
        ("scans --doubt nan", "--doubt is nan, but must be from 0 to 1"),
        ("scans --workers 0", "--workers is 0, but must be at least 1"),
        ("scans --workers 2 --dask tcp://h:1", "--workers counts local processes: leave it out"),
        ("scans --dask h", "--dask is h, but must be an address such as tcp://127.0.0.1:8786"),
        ("scans --model x", "Unrecognized options: --model, x"),
    ],
)
def test_wrong_arguments_get_one_line(capsys: Capture, arguments: str, message: str) -> None:
    assert message in refused(capsys, *arguments.split())


def test_copies_that_cannot_be_written_end_it_with_one_line(capsys: Capture) -> None:
    assert main(["read", "scans/2.png", "--save-marked", "notes.png"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: cannot write notes.png/0000-2.png: ")
    assert told.count("\n") == 1
    assert Path("notes.png").read_text() == "no picture"


class Recorded(Executor):
    """An executor that calls at once, and counts the calls."""

    def __init__(self) -> None:
        self.calls = 0

    def submit(self, function: Any, /, *args: Any, **options: Any) -> Future[Any]:
        self.calls += 1
        future: Future[Any] = Future()
        future.set_result(function(*args, **options))
        return future


class Pools:
    """Stands for ``workers.local``: records what was asked for, and whether it has ended."""

    def __init__(self) -> None:
        self.asked = list[int | None]()
        self.open = 0
        self.executor = Recorded()

    @contextmanager
    def local(self, processes: int | None, _: str) -> Iterator[Pool]:
        self.asked.append(processes)
        self.open += 1
        try:
            yield Pool(self.executor, 2)
        finally:
            self.open -= 1


@pytest.fixture
def pools(monkeypatch: pytest.MonkeyPatch) -> Pools:
    found = Pools()
    monkeypatch.setattr(workers, "local", found.local)
    return found


@pytest.mark.parametrize(
    ("count", "options", "asked"),
    [
        (3, [], []),
        (4, [], [None]),  # as many as cores
        (4, ["--workers", "1"], []),
        (1, ["--workers", "5"], [5]),
    ],
)
def test_more_than_a_few_pictures_are_read_by_processes(
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
    pools: Pools,
    count: int,
    options: list[str],
    asked: list[int | None],
) -> None:
    assert command.FEW == 64
    monkeypatch.setattr(command, "FEW", 3)
    assert len(objects(capsys, *count * ["scans/2.png"], *options)) == count
    assert pools.asked == asked
    assert pools.open == 0


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("count", "options", "is_shown"),
    [(3, [], False), (4, [], True), (1, ["--workers", "2"], True), (4, ["--workers", "1"], True)],
)
@pytest.mark.usefixtures("pools")
def test_a_bar_shows_the_progress_of_more_than_a_few_pictures(
    monkeypatch: pytest.MonkeyPatch, count: int, options: list[str], is_shown: bool
) -> None:
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(command, "FEW", 3)
    monkeypatch.setattr(command, "page_in", lambda _: "seen")
    assert main(["read", *count * ["scans/2.png"], *options]) == 2
    assert ("reading:" in screen.getvalue()) == is_shown
    assert screen.getvalue().count("error: scans/2.png: seen\n") == count


def test_only_some_pictures_are_on_their_way_at_a_time(
    monkeypatch: pytest.MonkeyPatch, pools: Pools
) -> None:
    monkeypatch.setattr(command, "page_in", str)
    names = [f"{number}.png" for number in range(500)]
    for taken, name in enumerate(command.pages(names)):
        assert name == names[taken]
        assert pools.executor.calls - taken <= 2 * command.AHEAD
    assert pools.executor.calls == 500


def test_processes_end_when_something_goes_wrong(pools: Pools) -> None:
    marked = Path("notes.png")
    with pytest.raises(InputError, match="cannot write"):
        command.read(("scans",), form="text", doubt=0, marked=marked, processes=2, dask=None)
    assert (pools.asked, pools.open) == ([2], 0)


def test_processes_read_what_one_reads(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = objects(capsys, "scans")
    stdin_is(monkeypatch, "scans/10.webp")
    found = objects(capsys, "scans/2.png", "-", "--workers", "1", "--save-marked", "one")
    stdin_is(monkeypatch, "scans/10.webp")
    assert objects(capsys, "scans/2.png", "-", "--workers", "2", "--save-marked", "two") == found
    assert [each["lines"] for each in found] == [each["lines"] for each in expected]
    for name in ("0000-2.png", "0001-stdin.png"):
        assert Path("one", name).read_bytes() == Path("two", name).read_bytes()


def test_a_process_that_dies_is_reported(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "page_in", dying)
    told = refused(capsys, "scans", "--workers", "2")
    assert "a worker process died" in told
    assert "run the command again, with fewer than --workers 2" in told


def dying(_: command.Picture) -> None:
    os._exit(1)


# A spawned process runs the top level; the pictures' names say what happens to them.
STUCK = """
import sys, threading

def page_in(file):
    if "stuck" in file:
        threading.Event().wait()
    return "seen"

if __name__ == "__main__":
    from tinydigits import cli
    from tinydigits.reading import read_command
    read_command.page_in = page_in
    sys.exit(cli.main(sys.argv[1:]))
"""


def test_ctrl_c_ends_it_and_its_processes(tmp_path: Path) -> None:
    (tmp_path / "stuck.py").write_text(STUCK)
    names = ["1.png", "stuck.png", "2.png"]
    with started(str(tmp_path / "stuck.py"), "read", *names, "--workers", "2") as process:
        wait_for("1.png: seen", process.stderr)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: its workers get it too
        # The pipes are open for as long as one of its processes lives.
        told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert told == ("", "")


def test_a_cluster_is_sent_the_content_of_files(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    reason = "no distributed: pip install 'tinydigits[cluster]'"
    distributed = pytest.importorskip("distributed", reason=reason)
    with Path("scans/2.png").open("ab") as file:
        file.write(bytes(11 * 2**20))  # Dask warns of as much
    expected = objects(capsys, "scans")
    page_in, dask = command.page_in, {"processes": False, "dashboard_address": None}
    monkeypatch.setattr(
        command,
        "page_in",
        lambda file: page_in(file) if isinstance(file, bytes) else f"only the name {file}",
    )
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, protocol="tcp", host="127.0.0.1", **dask
    ) as local:
        arguments = ("scans", "gone.png", "--dask", local.scheduler_address, "--json")
        assert main(["read", *arguments]) == 1
    out, err = capsys.readouterr()
    assert [json.loads(line) for line in out.splitlines()] == expected
    assert err == "error: gone.png: only the name gone.png\n"
