"""The command skdae: files in, files out, and nothing lost on the way."""

import doctest
import errno
import os
import re
import resource
import shlex
import signal
import subprocess
import sys
import warnings
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_sample_images
from sklearn.pipeline import make_pipeline

import skdae
from skdae import (
    AdaptedDenoiser,
    DenoisingAutoencoder,
    GaussianFilter,
    GaussianNoise,
    MedianFilter,
    Noise2VoidDenoiser,
    PretrainedDenoiser,
    SelfEnsembleDenoiser,
    load,
)
from skdae._training import progress
from skdae.architectures import UNet
from skdae.cli import main
from skdae.datasets import ImageFiles
from skdae.noise import PoissonNoise

tifffile = pytest.importorskip("tifffile")
pytest.importorskip("imagecodecs")

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "guide" / "command.rst").read_text()
CLEAN = [image[:48, :64] for image in load_sample_images().images]
NOISY = [GaussianNoise(std=0.1, random_state=0).fit_transform(image[None])[0] for image in CLEAN]


def write(path, image):
    Image.fromarray(np.rint(255 * image).astype(np.uint8)).save(path)


def pixels(path):
    (image,) = ImageFiles(path)
    return image


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A folder to be in, with two noisy files, the model of a filter, and clean images."""
    monkeypatch.chdir(tmp_path)
    for folder, images in (("noisy", NOISY), ("clean", [image / 255 for image in CLEAN])):
        Path(folder).mkdir()
        for name, image in zip("ab", images, strict=True):
            write(f"{folder}/{name}.png", image)
    MedianFilter().fit(NOISY).save("model")
    return tmp_path


def expected(path):
    image = pixels(path)[None]
    return np.rint(255 * MedianFilter().fit(image).predict(image)[0])


def run(line):
    return main(shlex.split(line))


@pytest.fixture
def fails(capsys):
    """Run a line that fails; its message has to match."""

    def fail(line, match, code=1):
        assert run(line) == code
        message = capsys.readouterr().err
        assert re.search(f"skdae: .*{match}", message), message
        assert "Traceback" not in message
        assert "Errno" not in message

    return fail


def test_version(capsys):
    with pytest.raises(SystemExit, match="0"):
        run("--version")
    assert capsys.readouterr().out == f"skdae {skdae.__version__}\n"


# denoise


@pytest.mark.parametrize("path", ["noisy/a.png", "./noisy/a.png", "noisy//a.png"])
def test_file_in_file_out(path, capsys):
    assert run(f"denoise {path} -o out.png --model model") == 0
    assert_array_equal(pixels("out.png"), expected("noisy/a.png"))
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("inputs", ["noisy", "noisy/", "noisy/a.png noisy/b.png"])
@pytest.mark.parametrize("out", ["new/folder", "noisy/../new/"])
def test_folder_in_folder_out(inputs, out):
    assert run(f"denoise {inputs} -o {out} --model model") == 0
    assert names(Path(out)) == ["a.png", "b.png"]
    assert_array_equal(pixels(f"{out}/b.png"), expected("noisy/b.png"))


def test_one_file_goes_into_a_folder_that_is_there_or_ends_in_a_slash(here):
    assert run("denoise noisy/a.png -o new/ --model model") == 0
    assert run("denoise noisy/b.png -o new --model model") == 0
    assert names(here / "new") == ["a.png", "b.png"]


def test_in_place_writes_over_the_input(here):
    (here / "noisy" / "a.png").chmod(0o640)
    denoised = expected("noisy/a.png")
    assert run("denoise noisy --in-place --model model") == 0
    assert_array_equal(pixels("noisy/a.png"), denoised)
    assert (here / "noisy" / "a.png").stat().st_mode & 0o777 == 0o640


def test_file_behind_a_link_is_denoised_once_in_place(here):
    denoised = expected("noisy/a.png")
    (here / "noisy" / "link.png").symlink_to("a.png")
    assert run(f"denoise noisy {here}/noisy/a.png --in-place --model model") == 0
    assert_array_equal(pixels("noisy/a.png"), denoised)
    assert_array_equal(pixels("noisy/link.png"), denoised)


def test_input_is_never_written_over_unasked(here, fails):
    before = (here / "noisy" / "a.png").read_bytes()
    Path("link.png").symlink_to("noisy/a.png")
    os.link("noisy/b.png", "hard.png")
    for line in ("noisy -o noisy", "noisy/a.png -o noisy/a.png", "noisy/a.png -o noisy"):
        fails(f"denoise {line} --model model", "is one of the inputs; .*--in-place")
    fails("denoise noisy/a.png -o link.png --model model", "is one of the inputs")
    fails("denoise noisy/b.png -o hard.png --model model", "is one of the inputs")
    assert (here / "noisy" / "a.png").read_bytes() == before


def small_png(path):
    Image.fromarray(np.full((4, 5), 9, np.uint8)).save(path)


@pytest.mark.parametrize(
    "out",
    ["in/../in/a.png", "{here}/in/a.png", "link/a.png", "deep/link.png", "hard.png", "link", "in"],
)
def test_input_is_known_however_its_path_is_spelt(out, here, fails):
    for name in ("in", "deep"):
        Path(name).mkdir()
    small_png("in/a.png")
    Path("link").symlink_to("in")
    Path("deep/link.png").symlink_to("../link/a.png")
    os.link("in/a.png", "hard.png")
    before = Path("in/a.png").read_bytes()
    out = out.format(here=here)
    fails(f"denoise in/a.png -o {out} --model model", "is one of the inputs")
    assert Path("in/a.png").read_bytes() == before


@pytest.mark.parametrize("link", [os.link, os.symlink])
def test_two_outputs_that_are_one_file_are_refused(link, here, fails):
    Path("out").mkdir()
    small_png("out/a.png")
    link(here / "out/a.png", "out/b.png")
    before = Path("out/a.png").read_bytes()
    fails("denoise noisy -o out --model model", "would be written to the same file")
    assert Path("out/a.png").read_bytes() == before
    # Of a file that is not there yet.
    Path("new").mkdir()
    Path("new/b.png").symlink_to("a.png")
    fails("denoise noisy -o new --model model", "would be written to the same file")
    assert names(here / "new") == ["b.png"]


def test_output_that_becomes_another_one_on_the_way_is_refused(here, fails, monkeypatch):
    replace, first = os.replace, expected("noisy/a.png")

    def on_a_disk_of_one_name(source, path):
        replace(source, path)
        if path.name == "a.png":
            os.link(path, path.with_name("b.png"))

    monkeypatch.setattr(os, "replace", on_a_disk_of_one_name)
    fails("denoise noisy -o out --model model", "b.png would be written over")
    assert_array_equal(pixels("out/a.png"), first)


def test_model_is_not_written_over(fails):
    before = Path("model").read_bytes()
    os.link("model", "model.png")
    fails("denoise noisy/a.png -o model.png --model model", "model.png is one of the inputs")
    assert Path("model").read_bytes() == before


@pytest.mark.parametrize(
    "line",
    [
        "denoise noisy/a.png -o ''",
        "denoise '' -o out",
        "denoise noisy/a.png '' -o out",
        "denoise noisy -o out --model ''",
        "train noisy -o ''",
        "train '' -o net",
        "train noisy --clean '' -o net",
        "noise ''",
        "info ''",
    ],
)
def test_empty_path_is_not_this_folder(line, here, fails):
    small_png("a.png")
    before = names(here)
    fails(line, "is an empty path")
    assert names(here) == before


def test_standard_input_is_not_read(fails):
    fails("denoise - -o out.png --model model", "no file named '-'.* not the standard input")
    fails("noise -", "not the standard input")
    fails("denoise nothing -o out.png --model model", "No such file or directory: 'nothing'")


def test_file_without_a_suffix_is_what_it_holds(fails):
    os.rename("noisy/a.png", "noisy/a")
    fails("denoise noisy/a -o out.jpg --model model", r"out.jpg must end in '\.png'")
    assert run("denoise noisy/a -o out.png --model model") == 0
    assert_array_equal(pixels("out.png"), expected("noisy/a"))


def test_wildcards_are_expanded_where_the_shell_did_not(here, fails):
    small_png("noisy/c[1].png")
    assert run("denoise 'noisy/?.png' -o out --model model") == 0
    assert names(here / "out") == ["a.png", "b.png"]
    assert run("denoise 'noisy/c[1].png' -o c.png --model model") == 0
    assert run("denoise 'noisy/b*' -o b.png --model model") == 0
    assert_array_equal(pixels("b.png"), expected("noisy/b.png"))
    fails("denoise 'noisy/*.tif' -o out --model model", r"There is no file noisy/\*\.tif")


def test_folder_of_all_formats(here, capsys):
    Path("all").mkdir()
    image = Image.fromarray(CLEAN[0])
    for suffix in (".jfif", ".bmp", ".webp", ".tif"):
        image.save(f"all/image{suffix}", "JPEG" if suffix == ".jfif" else None)
    (here / "all" / "other.gif").write_bytes(b"")
    assert run("denoise all -o out --model model") == 0
    assert names(here / "out") == ["image.bmp", "image.jfif", "image.tif", "image.webp"]
    assert "warning: the folder all holds 1 image(s) of other formats" in capsys.readouterr().err
    assert_array_equal(pixels("out/image.bmp"), expected("all/image.bmp"))


def test_patterns_as_people_type_them(here, monkeypatch):
    monkeypatch.setenv("HOME", str(here))
    (here / "noisy" / "notes.txt").write_text("not an image")
    (here / "noisy" / "empty").mkdir()
    Image.fromarray(CLEAN[0]).save("noisy/c.bmp")
    patterns = {
        "'noisy/*.{png,bmp}'": ["a.png", "b.png", "c.bmp"],
        "'noisy/{a,b}.p{ng,xx}'": ["a.png", "b.png"],
        "'~/noisy/[ab].*'": ["a.png", "b.png"],
        "'noisy/**'": ["a.png", "b.png", "c.bmp"],
        # A file that is named twice, and a folder without images.
        "noisy/a.png noisy noisy/empty": ["a.png", "b.png", "c.bmp"],
        # One file, whose output is not called as one is.
        "'noisy/*.bmp'": ["c.bmp"],
    }
    for i, (pattern, found) in enumerate(patterns.items()):
        assert run(f"denoise {pattern} -o out{i} --model model") == 0
        assert names(here / f"out{i}") == found


def test_what_has_no_noise_keeps_its_bytes(here, capsys):
    flat = Image.new("RGB", (64, 64), (200, 30, 90))
    exif = Image.Exif()
    exif[0x0112] = 6
    flat.save("noisy/flat.jpg", exif=exif, quality=37)
    flat.save("noisy/flat.webp", exif=exif, lossless=True)
    assert run("denoise noisy -o out") == 0
    for name in ("flat.jpg", "flat.webp"):
        assert Path("out", name).read_bytes() == Path("noisy", name).read_bytes()
    message = capsys.readouterr().err
    assert "skdae: 2 of 4 files denoised in " in message
    assert "skdae: noisy/flat.jpg: left alone: it came out as it was" in message


# Strength and adaptation


def test_strength_of_luminance_and_colors_apart(fails):
    for text in ("0.6,1.0", "'(0.6, 1.0)'"):
        assert run(f"denoise noisy/a.png -o out.png --strength {text}") == 0
        denoiser = PretrainedDenoiser(strength=(0.6, 1.0))
        assert_array_equal(
            pixels("out.png"), np.rint(255 * denoiser.fit_transform(pixels("noisy/a.png")[None])[0])
        )
    assert run("denoise noisy/a.png -o same.png --strength 0") == 0
    assert_array_equal(pixels("same.png"), pixels("noisy/a.png"))
    fails("denoise noisy -o out --model model --strength 0.5", "a MedianFilter.* no such parameter")


@pytest.mark.parametrize("text", ["11", "-1", "1,2,3", "nan", "much", "(1,)"])
def test_strength_that_is_none(text, capsys):
    with pytest.raises(SystemExit, match="2"):
        run(f"denoise noisy -o out --strength={text}")
    assert "is not a number from 0 to 10" in capsys.readouterr().err


def counts(shape, seed):
    """Clean and noisy counts of a camera, of discs."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    clean = np.full(shape, 200.0)
    for _ in range(30):
        cy, cx, r = rng.uniform(0, shape[0]), rng.uniform(0, shape[1]), rng.uniform(4, 20)
        clean[np.hypot(y - cy, x - cx) < r] = rng.uniform(300, 4000)
    clean = gaussian_filter(clean, 1.5)
    return clean, (40 * rng.poisson(clean / 40)).astype(np.uint16)


@pytest.mark.slow
def test_adapting_to_counts_beats_the_pretrained_network(capsys):
    Path("counts").mkdir()
    clean, noisy = zip(*(counts((288, 288), seed) for seed in range(3)), strict=True)
    for i, image in enumerate(noisy):
        tifffile.imwrite(f"counts/{i}.tif", image)
    assert run("train counts -o net --steps 100 --seed 0") == 0
    assert "the adapted network was kept for gray images" in capsys.readouterr().err
    assert run("denoise counts -o plain") == 0
    assert run("denoise counts -o adapted --model net") == 0
    plain, adapted = (
        np.mean([(tifffile.imread(f"{folder}/{i}.tif") - clean[i]) ** 2 for i in range(3)])
        for folder in ("plain", "adapted")
    )
    assert adapted < 0.9 * plain


def test_adapts_by_time_and_keeps_the_network(here):
    for i in range(2):
        tifffile.imwrite(f"noisy/{i}.tif", counts((96, 128), i)[1])
    # Files of two kinds have two networks.
    assert run("denoise noisy -o out --adapt 0.001") == 0
    assert names(here / "out") == ["0.tif", "1.tif", "a.png", "b.png"]
    assert run("denoise 'noisy/*.tif' -o out --adapt 0.001 --save net") == 0
    assert isinstance(load("net"), AdaptedDenoiser)
    assert run("denoise 'noisy/*.tif' -o again --model net") == 0
    for name in ("0.tif", "1.tif"):
        assert_array_equal(tifffile.imread(f"again/{name}"), tifffile.imread(f"out/{name}"))


def test_adapting_where_it_makes_no_sense(here, fails):
    fails("denoise noisy -o out --save net", "pass --adapt MINUTES")
    fails("denoise noisy -o out --model model --adapt 1", "fine-tunes our network")
    fails("denoise noisy -o out --adapt 1 --save noisy/a.png", "noisy/a.png")
    fails("denoise noisy -o out --adapt 1 --save no/where", "where")
    tifffile.imwrite("noisy/c.tif", counts((96, 96), 0)[1])
    fails("denoise noisy -o out --adapt 1 --save net", "2 kinds of images")
    for text in ("0", "-1", "nan", "soon"):
        with pytest.raises(SystemExit, match="2"):
            run(f"denoise noisy -o out --adapt={text}")


def test_files_of_more_pixels_than_pillow_reads_are_not_called_damaged(monkeypatch, capsys):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert run("denoise noisy/a.png -o a.png") == 1
    assert "noisy/a.png cannot be read: it has more pixels than Pillow" in capsys.readouterr().err


def test_pages_bits_and_floats_come_out_as_they_went_in():
    stack = (60000 * np.stack([image[..., 0] for image in NOISY])).astype(np.uint16)
    tifffile.imwrite("stack.tif", stack, photometric="minisblack")
    tifffile.imwrite("float.tif", stack.astype(np.float32) - 1e4, photometric="minisblack")
    model = MedianFilter()
    model.save("filter")
    assert run("denoise stack.tif float.tif -o out --model filter") == 0
    model.fit(stack)
    out = tifffile.imread("out/stack.tif")
    assert out.dtype == np.uint16
    assert_array_equal(out, np.rint(model.predict(stack)))
    out = tifffile.imread("out/float.tif")
    assert out.dtype == np.float32
    assert_array_equal(out, model.fit_transform(stack.astype(np.float32) - 1e4))


def test_signed_and_packed_values_keep_their_kind():
    signed = (2000 * NOISY[0][..., 0] - 3000).astype(np.int16)
    packed = (4000 * NOISY[0][..., 0].clip(0, 1)).astype(np.uint16)
    tifffile.imwrite("signed.tif", signed, photometric="minisblack", compression="lzw")
    bits = np.unpackbits(packed.astype(">u2").view(np.uint8).reshape(-1, 2), axis=1)[:, 4:]
    options = {"shape": packed.shape, "dtype": packed.dtype, "bitspersample": 12}
    data = iter([np.packbits(bits).tobytes()])
    tifffile.imwrite("packed.tif", data, photometric="minisblack", **options)
    MedianFilter().save("filter")
    assert run("denoise signed.tif packed.tif -o out --model filter") == 0
    for name, values in (("signed", signed), ("packed", packed)):
        with tifffile.TiffFile(f"out/{name}.tif") as file:
            assert file.pages[0].dtype == values.dtype
            assert file.pages[0].bitspersample == (16 if name == "signed" else 12)
            out = file.asarray()
        assert_array_equal(out, np.rint(MedianFilter().fit_transform(values[None])[0]))
    # Values of 16 bits that may be negative are counts, too.
    assert run("denoise signed.tif -o other.tif") == 0
    assert tifffile.imread("other.tif").mean() == pytest.approx(signed.mean(), rel=0.01)


def test_fourth_band_is_denoised_as_a_channel_of_its_own():
    clean = np.dstack([CLEAN[0], CLEAN[1][..., 1]]) / 255
    noisy = GaussianNoise(std=0.1, clip=(0, 1), random_state=0).fit_transform(clean[None])[0]
    noisy = np.rint(255 * noisy).astype(np.uint8)
    options = {"photometric": "rgb", "extrasamples": ["unspecified"], "metadata": None}
    tifffile.imwrite("bands.tif", noisy, **options)
    tifffile.imwrite("colours.tif", noisy[..., :3], photometric="rgb", metadata=None)
    tifffile.imwrite("band.tif", noisy[..., 3], photometric="minisblack", metadata=None)
    assert run("denoise bands.tif colours.tif band.tif -o out --noise 0.1") == 0
    out = tifffile.imread("out/bands.tif")
    assert_array_equal(out[..., :3], tifffile.imread("out/colours.tif"))
    assert_array_equal(out[..., 3], tifffile.imread("out/band.tif"))
    error = np.abs(out / 255 - clean).mean(axis=(0, 1))
    assert (error < 0.7 * np.abs(noisy / 255 - clean).mean(axis=(0, 1))).all()


def test_hidden_colours_decide_nothing():
    image = np.rint(255 * NOISY[0].clip(0, 1)).astype(np.uint8)
    alpha = np.full(image.shape[:2], 255, np.uint8)
    alpha[:, :24] = 0
    rng, results = np.random.default_rng(0), []
    for colours in (0, 255, rng.integers(0, 256, (48, 24, 3))):
        image[:, :24] = colours
        Image.fromarray(np.dstack([image, alpha])).save("alpha.png")
        assert run("denoise alpha.png -o out.png") == 0
        out = np.asarray(Image.open("out.png"))
        assert_array_equal(out[:, :24, :3], image[:, :24])
        assert_array_equal(out[..., 3], alpha)
        results.append(out[:, 24:])
    assert_array_equal(results[0], results[1])
    assert_array_equal(results[0], results[2])


def test_one_file_that_fails_does_not_stop_the_rest(here, fails):
    Path("noisy/a.png").write_bytes(b"")
    Path("noisy/aa.jpg").write_text("hello")
    Path("noisy/ab.png").symlink_to("nowhere")
    fails("denoise noisy -o out --model model", "noisy/a.png cannot be read: it is empty")
    assert names(here / "out") == ["b.png"]
    fails("denoise noisy -o out --model model", "aa.jpg cannot be read: it is not a PNG")
    fails("denoise noisy -o out --model model", "No such file or directory: .*ab.png")
    fails("denoise nothing.png noisy/b.png -o out --model model", "directory: 'nothing.png'")
    Path("noisy/a.png").write_bytes(Path("noisy/b.png").read_bytes()[:300])
    fails("denoise noisy -o out --model model", "a.png cannot be read: .* its end is missing")


def test_file_of_other_images_than_the_model_is_named(fails):
    dae = DenoisingAutoencoder(UNet((2, 4)), noise=GaussianNoise(), max_epochs=1, patch_size=16)
    dae.fit(NOISY).save("net")
    write("noisy/grey.png", NOISY[0][..., 0])
    fails("denoise noisy -o out --model net", r"noisy/grey.png: X has images of shape")
    assert names(Path("out")) == ["a.png", "b.png"]


def test_model_of_another_bit_depth_is_refused(fails):
    dae = DenoisingAutoencoder(UNet((2, 4)), noise=GaussianNoise(), max_epochs=1, patch_size=16)
    dae.fit(NOISY).save("net8")
    counts = [np.rint(65535 * image.clip(0, 1)).astype(np.uint16) for image in NOISY]
    dae.fit(counts).save("net16")
    tifffile.imwrite("deep.tif", counts[0], photometric="rgb")
    assert run("denoise noisy/a.png -o out.png --model net8") == 0
    assert run("denoise deep.tif -o out.tif --model net16") == 0
    learnt = r"deep.tif: the model learned from values in \[0, 1\], .* has 16 bits"
    fails("denoise deep.tif -o no.tif --model net8", learnt)
    learnt = "a.png: the model learned from counts, but this file has 8 bits"
    fails("denoise noisy/a.png -o no.png --model net16", learnt)
    assert not Path("no.tif").exists()
    assert not Path("no.png").exists()


def test_file_that_may_not_be_read_is_named(fails, monkeypatch):
    read = Path.read_bytes

    def refuse(path):
        if path.name == "a.png":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return read(path)

    # The tests may run as root, to whom nothing is forbidden.
    monkeypatch.setattr(Path, "read_bytes", refuse)
    fails("denoise noisy -o out --model model", "Permission denied: 'noisy/a.png'")
    assert names(Path("out")) == ["b.png"]


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("noisy -o file", "file is a file; pass a folder"),
        ("noisy/a.png -o out", r"out must end in '.png'.*-o out/"),
        ("noisy/a.png -o out.jpg", r"out.jpg must end in '.png', because a file keeps its format"),
        ("noisy clean -o out", "Several inputs would be written to the same file"),
        ("empty -o out", "folder empty holds no image files"),
        ("noisy/a.png -o no/out.png", "There is no folder"),
        ("noisy -o file/out", "Not a directory: 'file/out'"),
        ("noisy -o one.png", "one.png is the name of a file, but the input .* -o one/"),
        ("noisy/a.png noisy/b.png -o one.tif", "one.tif is the name of a file"),
        ("noisy/a.png -o locked/out.png", "folder .*/locked may not be written to"),
    ],
)
def test_output_that_cannot_be(line, match, here, fails, monkeypatch):
    Path("file").write_text("mine")
    Path("locked").mkdir()
    may = os.access
    # The tests may run as root, to whom nothing is forbidden.
    monkeypatch.setattr(os, "access", lambda path, mode: path.name != "locked" and may(path, mode))
    Path("empty").mkdir()
    fails(f"denoise {line} --model model", match)
    assert Path("file").read_text() == "mine"
    assert names(here / "noisy") == ["a.png", "b.png"]


@pytest.mark.parametrize("line", ["", "denoise noisy", "denoise noisy -o a --in-place", "blur a"])
def test_wrong_command_line(line, capsys):
    with pytest.raises(SystemExit, match="2"):
        run(line)
    assert "usage: skdae" in capsys.readouterr().err


@pytest.fixture
def limit_files():
    """A function that lets no file grow beyond a size, as on a full disk."""
    before, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda n_bytes: resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (before, hard))


def test_full_disk_leaves_the_input_and_nothing_half_written(here, fails, limit_files):
    before = (here / "noisy" / "a.png").read_bytes()
    limit_files(1000)
    fails("denoise noisy --in-place --model model", "noisy/a.png: .*too large")
    fails("denoise noisy -o out --model model", "noisy/b.png: .*too large")
    assert (here / "noisy" / "a.png").read_bytes() == before
    assert names(here / "noisy") == ["a.png", "b.png"]
    assert names(here / "out") == []


@pytest.mark.parametrize("moment", ["predict", "write"])
def test_ctrl_c_in_the_middle_of_a_folder(moment, here, fails, monkeypatch):
    n_calls = []

    def interrupt(function):
        def stopped(*args):
            n_calls.append(1)
            if len(n_calls) == 2:
                signal.raise_signal(signal.SIGINT)
            return function(*args)

        return stopped

    if moment == "predict":
        monkeypatch.setattr(MedianFilter, "predict", interrupt(MedianFilter.predict))
    else:
        monkeypatch.setattr(os, "replace", interrupt(os.replace))
    before = (here / "noisy" / "b.png").read_bytes()
    denoised = expected("noisy/a.png") if moment == "write" else None
    n_calls.clear()
    fails("denoise noisy --in-place --model model", "interrupted", code=130)
    assert (here / "noisy" / "b.png").read_bytes() == before
    assert names(here / "noisy") == ["a.png", "b.png"]
    if denoised is not None:
        assert_array_equal(pixels("noisy/a.png"), denoised)


def test_warnings_name_the_file_and_no_line_of_code(here, capsys):
    dae = DenoisingAutoencoder(UNet((2, 4)), noise=GaussianNoise(std=1e-3), max_epochs=1)
    dae.fit([image / 10000 for image in CLEAN]).save("net")
    assert run("denoise noisy -o out --model net") == 0
    message = capsys.readouterr().err
    assert re.search("^skdae: noisy/a.png: warning: X has values from", message, re.MULTILINE)
    assert ".py" not in message


def test_filter_that_was_not_fitted_denoises(here):
    MedianFilter().save("filter")
    assert run("denoise noisy/a.png -o out.png --model filter") == 0
    assert_array_equal(pixels("out.png"), expected("noisy/a.png"))


# The pretrained denoiser


@pytest.mark.parametrize("noise", ["", "--noise 0.1", "--noise 'GaussianNoise(std=0.1)'"])
def test_photographs_are_denoised_without_a_model(noise):
    write("noisy/grey.png", NOISY[0][..., 0])
    assert run(f"denoise noisy -o out {noise}") == 0
    for name, image in zip("ab", CLEAN, strict=True):
        error = np.abs(pixels(f"out/{name}.png") - image.astype(float)).mean()
        assert error < 0.6 * np.abs(pixels(f"noisy/{name}.png") - image.astype(float)).mean()
    assert pixels("out/grey.png").shape == (48, 64)


@pytest.mark.parametrize(
    ("noise", "file", "match"),
    [
        ("25", "noisy/a.png", "std of 25 does not fit 8-bit files.* did you mean 0.098"),
        ("'PoissonGaussianNoise(gain=0.1, std=5)'", "noisy/a.png", "did you mean 0.02,"),
        ("0.1", "deep.tif", "std of 0.1 is less than one count of a 16-bit.* did you mean 6554"),
        ("'GaussianNoise(sigma=1)'", "noisy/a.png", "GaussianNoise has the parameters .*std"),
        ("'SaltAndPepper()'", "noisy/a.png", "Did you mean 'SaltPepper'"),
    ],
)
def test_noise_in_other_units_or_words_is_answered_with_what_was_meant(noise, file, match, fails):
    tifffile.imwrite("deep.tif", np.ones((48, 64), np.uint16))
    out = f"out{Path(file).suffix}"
    fails(f"denoise {file} -o {out} --noise {noise}", match)
    assert not Path(out).exists()


# train


def test_noise_to_learn_with_has_the_units_of_the_files(fails):
    fails("train clean --noise '(5, 25)' -o net --steps 1", "did you mean 0.098")
    fails("train noisy --clean noisy/a.png -o net", "--clean noisy/a.png: there is no such folder")


def test_trains_on_noisy_images_alone():
    assert run("train noisy -o net --scratch --steps 3 --seed 0") == 0
    denoiser = load("net")
    assert isinstance(denoiser, Noise2VoidDenoiser)
    assert (denoiser.max_steps, denoiser.random_state, denoiser.tile_size) == (3, 0, 512)
    assert run("denoise noisy -o out --model net") == 0
    X = pixels("noisy/a.png")
    assert_array_equal(pixels("out/a.png"), np.rint(255 * denoiser.predict(X[None])[0]))


@pytest.mark.parametrize("size", [(40, 64), (96, 96), (97, 97), (12, 30)], ids=str)
def test_one_file_is_enough_to_train_on(size):
    Path("one").mkdir()
    Path("clear").mkdir()
    image = load_sample_images().images[0][: size[0], : size[1]]
    write("clear/a.png", image / 255)
    write("one/a.png", GaussianNoise(0.1, random_state=0).fit_transform(image[None])[0])
    for line in ("one", "one --clean clear", "clear --noise 0.1"):
        assert run(f"train {line} -o net --steps 3") == 0
        assert run("denoise one/a.png -o out.png --model net") == 0
        assert pixels("out.png").shape == (*size, 3)


def test_trains_on_pairs_with_the_same_names(fails):
    assert run("train noisy --clean clean -o net --steps 3 --seed 0") == 0
    files = ImageFiles("noisy"), ImageFiles("clean")
    X = np.stack(files[0])
    again = load("net").set_params(verbose=0).fit(*files).predict(X)
    assert_array_equal(load("net").predict(X), again)
    Path("clean/b.png").unlink()
    fails("train noisy --clean clean -o net", "There is no clean/b.png")


@pytest.mark.parametrize(
    ("text", "noise"),
    [
        ("0.1", GaussianNoise(std=0.1)),
        ("(0.05, 0.2)", GaussianNoise(std=(0.05, 0.2))),
        ("PoissonNoise(30)", PoissonNoise(30)),
        ("skdae.noise.PoissonNoise(peak=30)", None),
        ("PoisonNoise(peak=30)", None),
        ("PoissonNoise(peak=x)", None),
        ("GaussianNoise", None),
        ("__import__('os')", None),
        ("", None),
    ],
)
def test_trains_on_clean_images_with_a_noise(text, noise, fails):
    line = f'train clean --noise "{text}" -o net --steps 2'
    if noise is None:
        fails(line, "--noise.*(is not a number|is not a noise model of skdae)")
    else:
        assert run(line) == 0
        assert repr(load("net").noise) == repr(noise)


def test_misspelt_noise_is_answered_with_the_name_that_was_meant(fails):
    fails("train clean --noise 'PoisonNoise(30)' -o net", "Did you mean 'PoissonNoise'")


def test_images_to_learn_from_have_one_unit(fails):
    counts = np.full((48, 64, 3), 1000, np.uint16)
    tifffile.imwrite("noisy/c.tif", counts, photometric="rgb")
    fails("train noisy -o net", "values of uint16, uint8, whose units differ")
    tifffile.imwrite("noisy/c.tif", counts / np.float32(2000), photometric="rgb")
    fails("train noisy -o net", "values of float32, uint8, whose units differ")
    Path("noisy/c.tif").unlink()
    for folder, dtype in (("one", np.uint8), ("other", np.uint16)):
        Path(folder).mkdir()
        for name in ("a.tif", "b.tif"):
            tifffile.imwrite(Path(folder, name), counts[..., 0].clip(0, 200).astype(dtype))
    fails("train one --clean other -o net", "y has values of about 200.* units differ")
    fails("train other --clean one -o net", "X has values of about 200.* units differ")


@pytest.mark.parametrize(
    ("out", "match"), [("no/net", "There is no folder"), ("noisy", "noisy is a folder")]
)
def test_place_of_the_model_is_looked_at_before_training(out, match, fails):
    fails(f"train noisy -o {out} --steps 1000000000", match)


def test_training_image_is_not_replaced_by_the_model(here, fails):
    before = Path("noisy/a.png").read_bytes()
    Path("link").symlink_to("noisy/a.png")
    os.link("clean/a.png", "hard")
    fails("train noisy -o noisy/a.png --steps 1000000000", "noisy/a.png is one of the inputs")
    fails("train noisy -o link --steps 1000000000", "link is one of the inputs")
    fails("train noisy --clean clean -o hard --steps 1000000000", "hard is one of the inputs")
    assert Path("noisy/a.png").read_bytes() == before


@pytest.mark.parametrize("noise", ["", "--noise 0.1"])
def test_one_small_image_is_enough_to_try(noise):
    Path("one").mkdir()
    write("one/a.png", NOISY[0])
    assert run(f"train one -o net --steps 1 --seed 0 {noise}") == 0
    assert run("denoise one -o out --model net") == 0


def test_training_file_that_is_damaged_is_named(fails):
    Path("noisy/b.png").write_bytes(Path("noisy/b.png").read_bytes()[:99])
    fails("train noisy -o net", "noisy/b.png cannot be read: it is damaged")
    assert not Path("net").exists()


# noise


def test_noise_is_printed_per_file(capsys, fails):
    flat = np.tile(np.linspace(0.2, 0.8, 128), (128, 1))
    write("noisy/c.png", GaussianNoise(std=0.05, random_state=0).fit_transform(flat[None])[0])
    assert run("noise noisy") == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0][:4] == ["file", "size", "values", "std"]
    assert [line[0] for line in lines[1:]] == ["noisy/a.png", "noisy/b.png", "noisy/c.png"]
    assert lines[3][1:3] == ["128x128", "uint8"]
    assert float(lines[3][3]) == pytest.approx(0.05, rel=0.1)
    Image.new("L", (64, 64)).save("noisy/a.png")
    fails("noise noisy", "noisy/a.png: .*tell the noise")


# info


def test_info_prints_what_is_in_a_file(capsys):
    dae = DenoisingAutoencoder(UNet((2, 4)), noise=GaussianNoise(), max_epochs=1, patch_size=16)
    dae.fit(CLEAN).save("net")
    assert run("info net") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "class: DenoisingAutoencoder"
    assert "  architecture: UNet(filters=(2, 4))" in lines
    assert "  image_shape: (48, 64, 3)" in lines
    assert f"  skdae: {skdae.__version__}" in lines
    assert run("info model") == 0
    assert "plan" not in capsys.readouterr().out


def test_info_tells_what_matters(capsys):
    assert run("train clean --noise 0.1 -o net --steps 3 --seed 0") == 0
    last = load("net").history_[-1]
    capsys.readouterr()
    assert run("info net") == 0
    text = capsys.readouterr().out
    assert "image size: any size\n" in text
    assert "images: 2\n" in text
    assert f"train_loss: {last['train_loss']:.4g}\n" in text
    assert re.search(r"noise: GaussianNoise\(.*std=0.1", text)
    # The level is told where it is the default one, too, and however deep.
    dae = DenoisingAutoencoder("dense", noise=GaussianNoise(random_state=0), max_epochs=1)
    for model in (SelfEnsembleDenoiser(dae), make_pipeline(SelfEnsembleDenoiser(dae))):
        skdae.save(model.fit(np.random.default_rng(0).random((9, 8, 8))), "deep")
        assert run("info deep") == 0
        text = capsys.readouterr().out
        assert re.search(r"denoiser__noise: GaussianNoise\(.*std=0.1", text)
        assert "image size: 8x8\n" in text
        assert "images: 9\n" in text


def test_info_of_what_skdae_did_not_save(fails):
    fails("info noisy/a.png", "noisy/a.png cannot be loaded")
    fails("info nothing", "No such file or directory: 'nothing'")


# As a program


ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
COMMAND = [sys.executable, "-m", "skdae"]


def program(*words, **options):
    options = {"env": ENVIRONMENT, "capture_output": True, "text": True, **options}
    return subprocess.run([*COMMAND, *words], **options)


@pytest.mark.slow
def test_runs_as_a_module_without_a_bar_in_a_pipe():
    done = program("denoise", "noisy", "-o", "out", "--model", "model")
    assert (done.returncode, done.stdout) == (0, "")
    assert re.fullmatch(r"skdae: 2 of 2 files denoised in \d+\.\d s\n", done.stderr)
    Path("noisy/a.png").write_bytes(b"")
    failed = program("denoise", "noisy", "-o", "out", "--model", "model")
    assert failed.returncode == 1
    said, summary, left = failed.stderr.splitlines()
    assert said == "skdae: noisy/a.png cannot be read: it is empty"
    assert summary.startswith("skdae: 1 of 2 files denoised in ")
    assert left == "skdae: left alone: noisy/a.png cannot be read: it is empty"


@pytest.mark.parametrize("words", [["noise", "noisy"], ["--help"], ["info", "model"]])
def test_a_reader_who_has_seen_enough_ends_the_command_quietly(words):
    reader, writer = os.pipe()
    # As `head` does in the end.
    os.close(reader)
    options = {"stdout": writer, "stderr": subprocess.PIPE, "env": ENVIRONMENT, "text": True}
    done = subprocess.run([*COMMAND, *words], **options)
    os.close(writer)
    # What argparse prints without a buffer, it lets go.
    assert done.returncode in ((0, 141) if words == ["--help"] else (141,))
    assert done.stderr == ""


def test_a_terminal_without_the_letters_of_a_name():
    names = ["σ.png", os.fsdecode(b"\xff.png")]
    for name in names:
        os.rename(f"noisy/{'ab'[names.index(name)]}.png", f"noisy/{name}")
    done = program("noise", "noisy", env={**ENVIRONMENT, "PYTHONIOENCODING": "cp1252"})
    assert (done.returncode, done.stderr) == (0, "")
    assert r"noisy/\u03c3.png" in done.stdout


def test_the_parser_imports_nothing_heavy():
    script = (
        "import sys; from skdae.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: assert not {'torch', 'numpy', 'sklearn', 'tqdm'} & set(sys.modules)\n"
        "else: raise AssertionError"
    )
    subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL)


def test_a_bar_on_a_terminal(here, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert run("denoise noisy -o out --model model") == 0
    assert "2/2" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["--scratch", "--noise 0.1"])
def test_minutes_are_not_for_networks_of_your_own(kind, capsys):
    Path("one").mkdir()
    write("one/a.png", NOISY[0])
    assert run(f"train one -o net --minutes 0.1 {kind}") == 1
    assert "--steps" in capsys.readouterr().err
    assert not Path("net").exists()


@pytest.mark.parametrize("kind", ["--scratch", "--clean clean", ""])
def test_training_shows_a_bar_on_a_terminal_and_lines_elsewhere(kind, capsys, monkeypatch):
    # The time from line to line, which is a minute, is over at once.
    monkeypatch.setattr(progress.in_lines.__wrapped__, "__defaults__", (0.0,))
    if not kind:
        # Images of which parts can be set aside.
        large = load_sample_images().images[0][None, 200:328, 200:328]
        write("noisy/a.png", GaussianNoise(std=0.1, random_state=0).fit_transform(large)[0])
        Path("noisy/b.png").unlink()
    line = f"train noisy {kind} -o net --steps 3 --seed 0"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert run(line) == 0
        said = capsys.readouterr().err
        assert "\r" not in said
        assert "loss=" in said
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
        assert run(line) == 0
    assert "\r" in capsys.readouterr().err
    assert load("net").verbose == 0


# Volumes


@pytest.fixture
def stack():
    """A file whose pages are the slices of a volume."""
    z, y, x = np.mgrid[:6, :32, :40] / 6
    clean = 2000 + 900 * np.sin(z + y) * np.cos(x)
    X = np.rint(GaussianNoise(std=200, random_state=0).fit_transform(clean[None])[0])
    tifffile.imwrite("stack.tif", X.astype(np.uint16), photometric="minisblack")
    return X


def test_pages_are_the_slices_of_a_volume_for_a_filter(stack):
    GaussianFilter(1.0).save("open")
    GaussianFilter(1.0).fit(stack).save("fitted")
    for model in ("open", "fitted"):
        assert run(f"denoise stack.tif -o out.tif --volume --model {model}") == 0
        whole = np.rint(gaussian_filter(stack, 1.0))
        assert np.abs(tifffile.imread("out.tif") - whole).max() <= 1
    assert run("denoise stack.tif -o out.tif --model open") == 0
    pages = np.rint(gaussian_filter(stack, (0, 1.0, 1.0)))
    assert np.abs(tifffile.imread("out.tif") - pages).max() <= 1


def test_colored_pages_are_the_slices_of_a_volume(stack):
    X = np.stack([stack, stack[::-1], stack / 2], axis=-1).astype(np.uint16)
    tifffile.imwrite("stack.tif", X, photometric="rgb")
    GaussianFilter(1.0).save("open")
    assert run("denoise stack.tif -o out.tif --volume --model open") == 0
    whole = np.rint(gaussian_filter(X.astype(float), (1, 1, 1, 0)))
    assert np.abs(tifffile.imread("out.tif") - whole).max() <= 1


def test_a_net_of_volumes_sees_all_axes(stack, fails):
    X = stack.astype(np.float32)[None]
    net = Noise2VoidDenoiser(UNet((4, 8), residual=False), channel_axis=None, max_steps=2)
    net.set_params(patch_size=(4, 16, 16), random_state=0).fit(X).save("net")
    assert run("denoise stack.tif -o out.tif --volume --model net") == 0
    assert_array_equal(tifffile.imread("out.tif"), np.rint(net.predict(X)[0]).clip(0, 65535))
    fails("denoise stack.tif -o out.tif --model net", "has learned volumes; pass --volume")


def test_our_network_denoises_a_volume_slice_by_slice(stack, fails):
    assert run("denoise stack.tif -o pages.tif") == 0
    assert run("denoise stack.tif -o out.tif --volume") == 0
    assert_array_equal(tifffile.imread("out.tif"), tifffile.imread("pages.tif"))
    PretrainedDenoiser().fit(stack[:1]).save("ours")
    assert run("denoise stack.tif -o out.tif --volume --model ours") == 0
    net = DenoisingAutoencoder(UNet((4,)), noise=GaussianNoise(200), max_steps=2, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net.fit(stack).save("net")
    fails("denoise stack.tif -o out.tif --volume --model net", "has learned images, not volumes")


# The page of the guide


def examples():
    """Lines of the page, with what they print."""
    for block in re.findall(r"\.\. code-block:: console\n\n((?: {4}.*\n|\n)+)", PAGE):
        for part in dedent(block).strip().split("$ ")[1:]:
            line, _, output = part.partition("\n")
            yield line, output.strip()


@pytest.mark.slow
def test_examples_of_the_guide_run_as_written(here, capsys):
    china, flower = load_sample_images().images
    camera = GaussianNoise(std=0.1, random_state=0)
    # Those of docs/guide/folder.rst.
    scenes = [china[:96, :96], china[150:230, 200:320], flower[160:224, 240:336]]
    for i, scene in enumerate(scenes):
        write(f"clean/{i}.png", scene / 255)
        write(f"noisy/{i}.png", camera.fit_transform(scene[None])[0])
    for name in ("noisy/a.png", "noisy/b.png", "clean/a.png", "clean/b.png"):
        Path(name).unlink()
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    lines = dict(examples())
    assert len(lines) >= 10
    for line, output in lines.items():
        command, *words = shlex.split(line)
        assert command == "skdae"
        capsys.readouterr()
        assert main(words) == 0, line
        printed = capsys.readouterr().out.strip()
        if words[0] == "noise":
            # Of the last digits, other processors have others.
            output, printed = (re.sub(r"(?<=\s)[\d.]+(e-\d+)?", "0", x) for x in (output, printed))
        assert doctest.OutputChecker().check_output(output, printed, flags), printed
