"""``tinydigits predict``: files in, lines out, and one line for whatever is wrong."""

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from tests.conftest import ROOT
from tests.pictures import drawn, side_by_side
from tinydigits.cli import main
from tinydigits.net.shipped import DEFAULT, WEIGHTS
from tinydigits.reading import command as reading


@pytest.fixture(autouse=True)
def _pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with the digits 0 to 3, in four formats."""
    monkeypatch.chdir(tmp_path)
    Path("scans").mkdir()
    for digit, suffix in enumerate(("png", "jpg", "webp", "tiff")):
        drawn(digit).save(f"scans/{digit}.{suffix}")


def lines(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> list[str]:
    assert main(["predict", *arguments]) == code
    return capsys.readouterr().out.splitlines()


def refused(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 2) -> str:
    """Run a command that must fail and return its only line on standard error."""
    assert main(["predict", *arguments]) == code
    printed = capsys.readouterr().err
    assert printed.startswith("error: ")
    assert printed.count("\n") == 1
    return printed


def test_the_table_names_digit_probability_and_runner_up(
    capsys: pytest.CaptureFixture[str],
) -> None:
    header, row = lines(capsys, "scans/3.tiff")
    assert header.split() == ["file", "digit", "probability", "runner-up"]
    file, digit, probability, *_ = row.split()
    assert (file, digit) == ("scans/3.tiff", "3")
    assert float(probability) > 90


@pytest.mark.parametrize(
    "arguments",
    [
        ["scans"],
        ["scans/*"],
        ["**/?.*"],
        ["scans/0.png", "scans/1.jpg", "scans/2.webp", "scans/3.tiff"],
        ["scans/[0-1].*", "scans/2.webp", "scans/3.tiff"],
    ],
)
def test_files_folders_and_patterns_are_read_in_order(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    answers = [json.loads(line) for line in lines(capsys, "--json", *arguments)]
    assert [answer["digit"] for answer in answers] == [0, 1, 2, 3]
    assert [Path(answer["file"]).stem for answer in answers] == ["0", "1", "2", "3"]


def test_numbered_pictures_come_in_the_order_of_their_numbers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("scans/3.tiff").rename("scans/10.tiff")
    for names in ("scans", "scans/*"):
        files = [json.loads(line)["file"] for line in lines(capsys, "--json", names)]
        assert [Path(file).stem for file in files] == ["0", "1", "2", "10"]


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [["predict", "scans"], ["--help"], ["--version"]])
def test_a_reader_that_has_enough_gets_no_traceback(arguments: list[str], unbuffered: str) -> None:
    # Buffered, the closed pipe is met when all is printed; unbuffered, at the first line.
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": unbuffered}
    with subprocess.Popen(
        [sys.executable, "-m", "tinydigits", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_json_lines_hold_the_likeliest_answers(capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = lines(capsys, "--json", "scans/2.webp")
    answer = json.loads(line)
    assert set(answer) == {"file", "digit", "probability", "top"}
    assert answer["top"][0] == {"digit": 2, "probability": answer["probability"]}
    shares = [each["probability"] for each in answer["top"]]
    assert len(shares) == 3
    assert shares == sorted(shares, reverse=True)


def test_standard_input_is_a_picture_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(Path("scans/1.jpg").read_bytes()))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert json.loads(lines(capsys, "--json", "-")[0])["digit"] == 1


def test_what_the_net_saw_is_saved(capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree("scans", "more")
    lines(capsys, "scans", "more", "--save-inputs", "seen/here")
    saved = sorted(Path("seen/here").iterdir())
    assert len(saved) == 8  # two folders hold files of the same names
    for path in saved:
        with Image.open(path) as image:
            assert (image.size, image.mode) == ((28, 28), "L")
            assert np.asarray(image).max() == 255


def test_a_checkpoint_can_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(WEIGHTS / f"{DEFAULT}.pth", "mine.pth")
    assert lines(capsys, "scans") == lines(capsys, "scans", "--model", "mine.pth")


def test_more_pictures_than_a_batch_are_all_answered(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "BATCH", 3)
    answers = [json.loads(line) for line in lines(capsys, "--json", *["scans"] * 2)]
    assert [answer["digit"] for answer in answers] == [0, 1, 2, 3] * 2


def test_one_bad_picture_is_told_and_the_rest_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    Path("scans/1.jpg").write_bytes(b"no picture")
    assert main(["predict", "scans", "--json"]) == 1
    printed, told = capsys.readouterr()
    assert [json.loads(line)["digit"] for line in printed.splitlines()] == [0, 2, 3]
    assert told == (
        "error: scans/1.jpg: not a picture in a readable format: expected one such as PNG or JPEG\n"
    )


def truncated() -> bytes:
    return Path("scans/0.png").read_bytes()[:300]


def frames(form: str) -> bytes:
    buffer = io.BytesIO()
    pages = [drawn(1), drawn(2)]
    pages[0].save(buffer, form, save_all=True, append_images=pages[1:])
    return buffer.getvalue()


def encoded(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def static() -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 256, (300, 400), dtype=np.uint8)
    return Image.fromarray(noise)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda: b"", "not a picture in a readable format: expected one such as PNG or JPEG"),
        (lambda: b"%PDF-1.4 no picture", "not a picture"),
        (truncated, "damaged (image file is truncated"),
        (lambda: frames("GIF"), "2 frames or pages: expected one"),
        (lambda: frames("TIFF"), "2 frames or pages: expected one"),
        (lambda: frames("PNG"), "2 frames or pages: expected one"),
        (lambda: frames("WEBP"), "2 frames or pages: expected one"),
        (lambda: encoded(Image.new("1", (20_000, 9_000))), "too large: expected at most 89"),
        (lambda: encoded(Image.new("1", (20_000, 5_000))), "too large: expected at most 89"),
        (lambda: encoded(Image.new("L", (90, 90), 255)), "the picture is blank"),
        (lambda: encoded(static()), "no handwritten digit was found"),
        (
            lambda: encoded(side_by_side(4, 2, 40)),
            "there is more than one digit: crop the picture to one, or type tinydigits read wrong",
        ),
    ],
)
def test_wrong_pictures_get_one_line(
    capsys: pytest.CaptureFixture[str], content: object, message: str
) -> None:
    assert callable(content)
    Path("wrong.png").write_bytes(content())
    told = refused(capsys, "wrong.png")
    assert told.startswith(f"error: wrong.png: {message}")


def test_a_phones_picture_with_a_second_one_inside_is_read(
    capsys: pytest.CaptureFixture[str],
) -> None:
    drawn(6).save("phone.jpg", "MPO", save_all=True, append_images=[drawn(2, size=(80, 80))])
    assert json.loads(lines(capsys, "--json", "phone.jpg")[0])["digit"] == 6


def test_hidden_files_and_folders_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    Path("scans/.ipynb_checkpoints").mkdir()
    shutil.copy("scans/1.jpg", "scans/.ipynb_checkpoints/1-checkpoint.jpg")
    Path("scans/._2.webp").write_bytes(b"\0\5\26\7\0\2\0\0Mac OS X        \0\2")
    shutil.copytree("scans", ".digits/scans")
    assert len(lines(capsys, "--json", "scans")) == 4
    assert len(lines(capsys, "--json", ".digits")) == 4  # named by the user, so it is meant
    assert len(lines(capsys, "--json", "scans/.ipynb_checkpoints/1-checkpoint.jpg")) == 1


def test_heic_and_avif_are_read(capsys: pytest.CaptureFixture[str]) -> None:
    heif = pytest.importorskip("pillow_heif", reason="no pillow-heif: pip install pillow-heif")
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 3  # the phone was held upside down
    upright = [heif.from_pillow(drawn(digit).convert("RGB")) for digit in (7, 2)]
    turned = heif.from_pillow(drawn(6).convert("RGB").rotate(180))
    turned.info["exif"] = exif.tobytes()
    upright[0].save("scans/4.HEIC")
    turned.save("scans/5.heic")
    heif.from_pillow(drawn(8)).save("scans/6.jpg", format="HEIF")  # renamed by a mail program
    expected = [0, 1, 2, 3, 7, 6, 8]
    if "AVIF" in Image.OPEN:
        drawn(9).save("scans/7.avif")
        expected.append(9)
    answers = [json.loads(line)["digit"] for line in lines(capsys, "--json", "scans")]
    assert answers == expected


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("4.HEIC", b"\0\0\0\x18ftypheic", "a HEIC picture: type pip install 'tinydigits[heic]'"),
        ("4.jpg", b"\0\0\0\x18ftypmif1", "a HEIC picture: type pip install 'tinydigits[heic]'"),
        ("4.avif", b"\0\0\0\x18ftypavif", "not a picture in a readable format"),
        ("4.CR3", b"\0\0\0\x18ftypcrx ", "not a picture in a readable format"),
        ("4.dng", b"MM\0*\0\0\0\x08", "not a picture in a readable format"),
    ],
)
def test_a_photograph_that_cannot_be_read_is_reported(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    content: bytes,
    message: str,
) -> None:
    for form in {"HEIF", "AVIF"} & set(Image.ID):  # as without the extra, and with an older Pillow
        monkeypatch.delitem(Image.OPEN, form)
        monkeypatch.setattr(Image, "ID", [other for other in Image.ID if other != form])
    Path("scans", name).write_bytes(content)
    assert f"error: scans/{name}: {message}" in refused(capsys, "scans", code=1)
    assert f"error: scans/{name}: {message}" in refused(capsys, f"scans/{name}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gone.png"], "gone.png: No such file or directory; expected a complete picture file"),
        (["*.bmp"], "no file matches *.bmp: expected a pattern such as"),
        (["empty"], "empty contains no pictures: expected files such as .png or .jpg"),
        (["scans", "--model", "gone.pth"], "there is no gone.pth: expected"),
        (["scans", "--model", "scans/0.png"], "scans/0.png is not a PyTorch file"),
        (["scans", "--save-inputs", "scans/0.png"], "cannot write scans/0.png/0000-0.png"),
        ([], "no picture given: expected files, folders, patterns, or - for standard input"),
    ],
)
def test_wrong_arguments_get_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    Path("empty").mkdir()
    Path("empty/notes.txt").write_text("no picture")
    assert message in refused(capsys, *arguments)


HEADS = [
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff\xe0",
    b"GIF89a",
    b"BM",
    b"II*\0",
    b"RIFF",
    b"P5 ",
    b"",
]


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(head=st.sampled_from(HEADS), body=st.binary(max_size=200), cut=st.integers(0, 400))
def test_random_bytes_get_one_line(
    capsys: pytest.CaptureFixture[str], head: bytes, body: bytes, cut: int
) -> None:
    original = Path("scans/0.png").read_bytes()
    for content in (head + body, original[:cut] + body + original[cut + len(body) :]):
        Path("random.png").write_bytes(content)
        code = main(["predict", "random.png", "--json"])
        printed, told = capsys.readouterr()
        assert (code, printed.count("\n"), told.count("\n")) in {(0, 1, 0), (2, 0, 1)}
