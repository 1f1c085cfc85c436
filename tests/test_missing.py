"""Missing pixels: what is known of an image is denoised as if nothing were missing."""

import shlex
import warnings

import dask.array as da
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy import ndimage
from skimage import data
from sklearn import config_context
from sklearn.base import clone
from sklearn.utils import get_tags

from skdae import (
    AdaptedDenoiser,
    BilateralFilter,
    DenoisingAutoencoder,
    GaussianFilter,
    GaussianNoise,
    MeanFilter,
    MedianFilter,
    NLMeansFilter,
    Noise2VoidDenoiser,
    PretrainedDenoiser,
    SelfEnsembleDenoiser,
    TVFilter,
    VarianceStabilized,
    WaveletFilter,
    j_invariant_scorer,
    mse_scorer,
    unbiased_scorer,
)
from skdae._images import likely_sentinel
from skdae.cli import main
from skdae.datasets import ImageFiles
from skdae.filters import estimate_noise_std
from skdae.model_selection import compare
from skdae.noise import PoissonGaussianNoise, estimate_noise

tifffile = pytest.importorskip("tifffile")
zarr = pytest.importorskip("zarr")
pytest.importorskip("imagecodecs")

FILTERS = [
    MeanFilter(),
    MedianFilter(),
    GaussianFilter(),
    BilateralFilter(),
    NLMeansFilter(),
    TVFilter(),
    WaveletFilter(),
]
CLEAN = data.camera()[100:228, 60:188] / 255
NOISY = CLEAN + np.random.default_rng(0).normal(0, 0.1, CLEAN.shape)
GAPS = np.random.default_rng(1).random(CLEAN.shape) < 0.1


def rmse(denoised, clean=CLEAN, gaps=GAPS):
    """Of the pixels that are known."""
    return np.sqrt(np.mean(np.square(np.asarray(denoised - clean)[~gaps])))


def with_gaps(images, gaps, kind, scale=1):
    """Images in which pixels are missing, and parameters that say so."""
    if kind == "masked":
        return np.ma.masked_array(np.where(gaps, 77 * scale, images), gaps), {}
    value = {"NaN": np.nan, "sentinel": -9999.0, "infinity": np.inf}[kind]
    options = {} if kind == "NaN" else {"missing_values": value}
    return np.where(gaps, value, images), options


@pytest.mark.parametrize("kind", ["NaN", "masked", "infinity"])
@pytest.mark.parametrize(
    "denoiser", [*FILTERS, PretrainedDenoiser()], ids=lambda d: type(d).__name__
)
def test_known_pixels_are_denoised_as_without_the_missing_ones(denoiser, kind):
    X, options = with_gaps(NOISY[None], GAPS[None], kind)
    found = clone(denoiser).set_params(**options).fit(X).predict(X)
    whole = clone(denoiser).fit(NOISY[None]).predict(NOISY[None])
    assert rmse(np.asarray(found)[0]) < 1.05 * rmse(whole[0])
    if kind == "masked":
        assert_array_equal(found.mask, X.mask)
        found, X = found.data, X.data
    assert_array_equal(found[0][GAPS], X[0][GAPS].astype(found.dtype))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float16, ">f4"])
def test_any_dtype_has_sentinels(dtype):
    value = 0 if np.dtype(dtype).kind == "u" else -9999
    scale = 1 if np.dtype(dtype).itemsize < 2 else 100
    X = (scale * (50 + 100 * NOISY.clip(0, 1))).astype(dtype)
    X_gaps = np.where(GAPS, np.asarray(value, dtype), X)[None]
    found = PretrainedDenoiser(missing_values=value).fit_transform(X_gaps)[0]
    whole = PretrainedDenoiser().fit_transform(X[None])[0]
    unit = 255 if dtype == np.uint8 else 1
    clean = scale * (50 + 100 * CLEAN) / unit
    assert rmse(found, clean) < 1.05 * rmse(whole, clean)
    assert_array_equal(found[GAPS], np.float32(np.asarray(value, dtype)))


def test_a_sentinel_counts_in_the_dtype_of_the_images():
    """As GDAL writes the least number of float32."""
    lowest = -3.4028234663852886e38
    X = np.where(GAPS, lowest, NOISY).astype(np.float32)[None]
    found = MedianFilter(missing_values=lowest).fit(X)
    assert found.range_[0] > -1
    assert_array_equal(found.predict(X)[0][GAPS], np.float32(lowest))


@pytest.mark.parametrize("kind", ["NaN", "sentinel", "masked"])
@pytest.mark.parametrize(
    ("sample", "options"),
    [
        ((300,), {"image_shape": (300,)}),
        ((300, 3), {"channel_axis": -1}),
        ((40, 50), {}),
        ((40, 50, 3), {}),
        ((1600,), {}),
        ((12, 20, 24), {"channel_axis": None}),
        ((12, 20, 24, 2), {}),
    ],
    ids=str,
)
def test_any_geometry(sample, options, kind):
    n_axes = 1 if "image_shape" in options else min(len(sample), 3)
    side = 40 if sample == (1600,) else None
    rng = np.random.default_rng(0)
    shape = (2, side, side) if side else (2, *sample)
    clean = ndimage.gaussian_filter(rng.normal(size=shape), (0, *[6] * (len(shape) - 1)))
    clean = (clean / clean.std()).reshape(2, *sample)
    noisy = clean + rng.normal(0, 0.3, clean.shape)
    gaps = rng.random(clean.shape) < 0.1
    X, missing = with_gaps(noisy, gaps, kind)
    for denoiser in (GaussianFilter(sigma=1.5), PretrainedDenoiser()):
        found = clone(denoiser).set_params(**options, **missing).fit(X).predict(X)
        whole = clone(denoiser).set_params(**options).fit(noisy).predict(noisy)
        assert found.shape == X.shape
        limit = 1.1 if n_axes == 1 else 1.07
        assert rmse(np.asarray(found), clean, gaps) < limit * rmse(whole, clean, gaps)
        assert_array_equal(np.asarray(found)[gaps], np.asarray(X, found.dtype)[gaps])


def test_large_gaps_have_the_nearest_values():
    X = np.tile(np.linspace(0, 1, 40), (1, 40, 1))
    X[0, 10:30, 10:30] = np.nan
    found = GaussianFilter().fit_transform(X)[0]
    whole = GaussianFilter().fit_transform(np.tile(np.linspace(0, 1, 40), (1, 40, 1)))[0]
    known = ~np.isnan(X[0])
    assert np.isfinite(found[known]).all()
    # Beside a gap, as at a border.
    assert abs(found - whole)[known].max() < 0.06
    assert_array_equal(found[:, :5], whole[:, :5])


def test_a_channel_and_an_image_without_any_value():
    X = np.random.default_rng(0).normal(1000, 5, (3, 32, 32, 3))
    X[0, ..., 1] = np.nan
    X[2] = np.nan
    for denoiser in (MedianFilter(), PretrainedDenoiser()):
        found = denoiser.fit_transform(X)
        assert_array_equal(np.isnan(found), np.isnan(X))
        np.testing.assert_allclose(found[1], denoiser.predict(X[1][None])[0], rtol=1e-6)
        # No warning tells of a range that nothing has.
        assert np.isnan(denoiser.predict(X[2][None])).all()
        with pytest.raises(ValueError, match="contains NaN or other missing values alone"):
            denoiser.fit(X[2][None])


def test_infinity_is_refused_beside_missing_values():
    X = np.where(GAPS, np.nan, NOISY)[None]
    X[0, 5, 5] = np.inf
    for denoiser in (MedianFilter(), PretrainedDenoiser()):
        with pytest.raises(ValueError, match="infinity"):
            denoiser.fit(X)
        with pytest.raises(ValueError, match="infinity"):
            denoiser.fit(NOISY[None]).predict(X)


def test_lists_tables_and_the_callers_arrays():
    X = np.where(GAPS, np.nan, NOISY)
    before, denoiser = X.copy(), MedianFilter()
    images = [X[:40], np.ma.masked_array(NOISY, GAPS), NOISY[:50, :60]]
    found = denoiser.fit(images).predict(images)
    for i in range(3):
        assert_array_equal(found[i], denoiser.predict([images[i]])[0])
    assert np.ma.isMaskedArray(found[1])
    assert not np.ma.isMaskedArray(found[2])
    assert_array_equal(np.isnan(found[0]), np.isnan(images[0]))
    assert_array_equal(X, before)
    assert_array_equal(denoiser.predict([X, NOISY]), denoiser.predict(np.stack([X, NOISY])))
    assert_array_equal(denoiser.predict([[list(row) for row in X]]), denoiser.predict(X[None]))
    table = pd.DataFrame(X[:, :64]).rename(columns="pixel {}".format)
    rows = MedianFilter(image_shape=(8, 8)).set_output(transform="pandas").fit(table)
    assert_array_equal(rows.transform(table).isna(), table.isna())
    assert [*rows.transform(table)] == [*table]


NETS = [
    DenoisingAutoencoder("dncnn", noise=GaussianNoise(std=0.1), max_steps=2, random_state=0),
    Noise2VoidDenoiser("dncnn", max_steps=2, random_state=0),
]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("net", NETS, ids=lambda d: type(d).__name__)
@pytest.mark.parametrize("kind", ["NaN", "sentinel", "masked"])
def test_networks_take_missing_values_at_predict_and_refuse_them_at_fit(net, kind):
    whole = np.stack([NOISY[:64, :64], NOISY[64:, :64]])
    gaps = np.stack([GAPS[:64, :64], GAPS[64:, :64]])
    X, options = with_gaps(whole, gaps, kind)
    net = clone(net).set_params(**options)
    for method in (net.fit, net.partial_fit):
        with pytest.raises(ValueError, match=r"missing|NaN") as caught:
            method(X)
        assert "leave out" in str(caught.value)
    found, expected = net.fit(whole).predict(X), net.predict(whole)
    assert_array_equal(np.asarray(found)[gaps], np.asarray(X, np.float32)[gaps])
    assert rmse(found, whole, gaps) < 1.1 * rmse(expected, whole, gaps) + 0.01


def stores(images, folder):
    """Images on a disk, and as what is read when it is asked for."""
    folder.mkdir()
    np.save(folder / "images.npy", images)
    for i, image in enumerate(images):
        tifffile.imwrite(folder / f"{i}.tif", image)
    return {
        "array": images,
        "list": [*images],
        "memory map": np.load(folder / "images.npy", mmap_mode="r"),
        "dask": da.from_array(images, chunks=(1, 64, 64)),
        "zarr": zarr.array(images, chunks=(1, 64, 64)),
        "files": ImageFiles([folder / f"{i}.tif" for i in range(len(images))]),
    }


@pytest.mark.parametrize("megabytes", [1024, 0.02], ids=["in memory", "on a disk"])
@pytest.mark.parametrize("kind", ["array", "list", "memory map", "dask", "zarr", "files"])
def test_sentinels_on_a_disk_are_found_in_images_and_targets(kind, megabytes, tmp_path):
    images = 1000 * np.stack([NOISY[:64, :64], NOISY[64:, :64]]).astype(np.float32)
    gaps = np.stack([GAPS[:64, :64], GAPS[64:, :64]])
    whole = stores(images, tmp_path / "whole")[kind]
    X = stores(np.where(gaps, np.float32(-9999), images), tmp_path / "gaps")[kind]
    net = DenoisingAutoencoder("dncnn", max_steps=2, missing_values=-9999, random_state=0)
    with config_context(working_memory=megabytes):
        with pytest.raises(ValueError, match=rf"X holds {gaps.sum()} missing.*X == -9999"):
            net.fit(X, whole)
        with pytest.raises(ValueError, match=rf"y holds {gaps.sum()} missing.*y == -9999"):
            net.fit(whole, X)
        with pytest.raises(ValueError, match=rf"X holds {gaps.sum()} missing"):
            net.fit(whole, whole, validation_data=(X, whole))
    for denoiser in (MedianFilter(), PretrainedDenoiser(), AdaptedDenoiser(max_steps=1)):
        denoiser.set_params(missing_values=-9999)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The pretrained network was kept")
            found = np.stack([*denoiser.fit(X).predict(X)])
        assert (found[gaps] == -9999).all()
        assert found[~gaps].min() > -1000


@pytest.mark.parametrize("kind", ["NaN", "sentinel", "masked"])
@pytest.mark.parametrize("scorer", [unbiased_scorer, j_invariant_scorer], ids=repr)
def test_scores_without_clean_images_are_those_of_what_is_known(scorer, kind):
    gaps = GAPS.copy()
    gaps[:30, :40] = True
    X, options = with_gaps(NOISY[None], gaps[None], kind)
    for denoiser in (GaussianFilter(0.7), GaussianFilter(2), MedianFilter(), TVFilter()):
        whole = scorer(clone(denoiser).fit(NOISY[None]), NOISY[None])
        found = scorer(clone(denoiser).set_params(**options).fit(X), X)
        # Before, a sentinel was off by thousands, and NaN refused.
        assert abs(found - whole) < 0.0015
    if scorer is unbiased_scorer:
        table = compare({"mean": MeanFilter(**options), "TV": TVFilter(**options)}, X)
        whole = compare({"mean": MeanFilter(), "TV": TVFilter()}, NOISY[None])
        np.testing.assert_allclose(table, whole, atol=0.0015)


def test_scores_against_clean_images_refuse_sentinels():
    X = np.where(GAPS, -9999, NOISY)[None]
    median = MedianFilter(missing_values=-9999).fit(X)
    with pytest.raises(ValueError, match=rf"X holds {GAPS.sum()} missing values"):
        mse_scorer(median, X, CLEAN[None])


def test_noise_is_for_clean_images():
    X = np.where(GAPS, np.nan, NOISY)[None]
    for method in (GaussianNoise().fit, GaussianNoise().fit(NOISY[None]).transform):
        with pytest.raises(ValueError, match="leave out the images that have them"):
            method(X)
    with pytest.raises(ValueError, match="NaN"):
        GaussianNoise().fit(da.from_array(X))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_flat_rows_of_networks_may_be_a_table():
    X = np.where(GAPS, np.nan, NOISY)[:, :64]
    net = DenoisingAutoencoder("dense", noise=GaussianNoise(), max_steps=1, random_state=0)
    rows = clone(net).set_params(image_shape=(64,)).fit(NOISY[:, :64])
    table = net.fit(NOISY[:, :64])
    assert_array_equal(np.isnan(rows.predict(X)), np.isnan(X))
    with pytest.raises(ValueError, match="Input X contains NaN .* pass image_shape="):
        table.predict(X)


def test_tags_tell_who_takes_nan():
    assert get_tags(MedianFilter()).input_tags.allow_nan
    assert get_tags(PretrainedDenoiser()).input_tags.allow_nan
    assert get_tags(SelfEnsembleDenoiser(MedianFilter())).input_tags.allow_nan
    for part in (GaussianNoise(), *NETS, SelfEnsembleDenoiser(NETS[0])):
        assert not get_tags(part).input_tags.allow_nan


def test_denoisers_around_others_take_what_these_take():
    X = np.where(GAPS, -9999.0, NOISY)[None]
    inner = TVFilter(missing_values=-9999)
    found = SelfEnsembleDenoiser(inner).fit(X).predict(X)[0]
    whole = SelfEnsembleDenoiser(TVFilter()).fit(NOISY[None]).predict(NOISY[None])[0]
    assert rmse(found) < 1.05 * rmse(whole)
    assert (found[GAPS] == -9999).all()
    counts = PoissonGaussianNoise(gain=4, std=2, clip=None, random_state=0)
    clean = 100 + 900 * CLEAN[None]
    noisy = counts.fit_transform(clean)
    X = np.where(GAPS, -9999.0, noisy)
    found = VarianceStabilized(inner).fit(X).predict(X)
    whole = VarianceStabilized(TVFilter()).fit(noisy).predict(noisy)
    assert rmse(found[0], clean[0]) < 1.05 * rmse(whole[0], clean[0])
    assert (found[0][GAPS] == -9999).all()
    with pytest.raises(ValueError, match="leave out"):
        SelfEnsembleDenoiser(NETS[0]).fit(np.where(GAPS, np.nan, NOISY)[None])


@pytest.mark.slow
def test_adapting_learns_nothing_of_missing_pixels():
    y, x = np.mgrid[:192, :192]
    clean = (np.sin(x / 2 + y / 5) > 0).astype(float)
    noisy = clean + np.random.default_rng(0).normal(0, 0.2, clean.shape)
    gaps = np.random.default_rng(1).random(clean.shape) < 0.1
    gaps[:64, :64] = True
    options = {"max_steps": 30, "noise": 0.2, "random_state": 0}
    whole = AdaptedDenoiser(**options).fit(noisy[None])
    X, missing = with_gaps(noisy[None], gaps[None], "sentinel")
    adapted = AdaptedDenoiser(**options, **missing).fit(X)
    assert adapted.weights_
    found = np.asarray(adapted.predict(X))[0]
    assert rmse(found, clean, gaps) < 1.1 * rmse(whole.predict(noisy[None])[0], clean, gaps)


@pytest.mark.parametrize("kind", ["NaN", "sentinel", "masked"])
@pytest.mark.parametrize(
    "denoiser",
    [MeanFilter(5), PretrainedDenoiser()],
    ids=lambda d: type(d).__name__,
)
def test_lazy_arrays_and_blocks_are_as_the_whole(denoiser, kind):
    gaps = GAPS.copy()
    gaps[20:60, 30:70] = True
    X, options = with_gaps(NOISY[None].astype(np.float32), gaps[None], kind)
    whole = clone(denoiser).set_params(**options).fit(X)
    expected = whole.predict(X)
    chunks = (1, 40, 50)
    lazy = da.from_array(np.ma.getdata(X), chunks)
    if kind == "masked":
        lazy = da.ma.masked_array(lazy, da.from_array(gaps[None], chunks))
    fitted = clone(denoiser).set_params(**options).fit(lazy)
    if hasattr(whole, "range_"):
        assert fitted.range_ == whole.range_
    found = fitted.predict(lazy).compute()
    np.testing.assert_allclose(np.ma.getdata(found), np.ma.getdata(expected), rtol=1e-6)
    assert np.ma.isMaskedArray(found) == (kind == "masked")
    target = np.empty(X.shape, np.float32)
    whole.predict_to(X, target, tile_size=40 if whole.receptive_field_ else "auto")
    np.testing.assert_allclose(target, np.ma.getdata(expected), rtol=1e-6)


def test_integers_on_a_disk_keep_their_sentinel():
    X = np.where(GAPS, -9999, 1000 * NOISY).astype(np.int16)[None]
    median = MedianFilter(missing_values=-9999).fit(X)
    target = median.predict_to(X, np.empty_like(X), tile_size=40)
    assert_array_equal(target, np.rint(median.predict(X)))
    assert (target[0][GAPS] == -9999).all()


def test_what_is_saved_knows_what_is_missing(tmp_path):
    from skdae import load

    X = np.where(GAPS, -9999, NOISY)[None]
    for value in (-9999, np.nan):
        median = MedianFilter(missing_values=value).fit(NOISY[None])
        median.save(tmp_path / "median.skdae")
        loaded = load(tmp_path / "median.skdae")
        assert repr(loaded.missing_values) == repr(value)
    assert (MedianFilter(missing_values=-9999).fit(X).predict(X)[0][GAPS] == -9999).all()


def run(line, folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert main(shlex.split(line)) == 0


def write_raster(path, values, nodata=None):
    """A TIFF file; GDAL writes what is missing as text into a tag of its own."""
    tags = [] if nodata is None else [(42113, 2, 0, str(nodata), True)]
    tifffile.imwrite(path, values, extratags=tags)


@pytest.mark.parametrize(
    ("dtype", "value", "tag"),
    [
        (np.int16, -9999, "-9999"),
        (np.uint16, 0, "0 "),
        (np.uint8, 255, "255"),
        (np.float32, -9999, "-9999"),
        (np.float32, -3.4028234663852886e38, "-3.4028234663852886e+38"),
        (np.float64, np.nan, "nan"),
        (np.float32, np.nan, None),
    ],
)
def test_rasters_keep_their_missing_pixels_and_the_tag(dtype, value, tag, tmp_path, monkeypatch):
    scale = 1 if dtype == np.uint8 else 10
    X = (scale * (20 + 200 * NOISY.clip(0, 1))).astype(dtype)
    X_gaps = np.where(GAPS, np.asarray(value, dtype), X)
    write_raster(tmp_path / "in.tif", X_gaps, tag)
    write_raster(tmp_path / "whole.tif", X)
    (tmp_path / "out").mkdir()
    run("denoise in.tif whole.tif -o out", tmp_path, monkeypatch)
    found, whole = (tifffile.imread(tmp_path / "out" / f"{n}.tif") for n in ("in", "whole"))
    assert found.dtype == dtype
    assert_array_equal(found[GAPS], X_gaps[GAPS])
    clean = scale * (20 + 200 * CLEAN)
    assert rmse(found, clean) < 1.05 * rmse(whole, clean)
    with tifffile.TiffFile(tmp_path / "out" / "in.tif") as file:
        kept = file.pages[0].tags.get(42113)
        assert (kept and kept.value.strip()) == (tag and tag.strip())


def test_a_raster_of_several_bands_and_one_without_any_value(tmp_path, monkeypatch):
    bands = np.stack([NOISY[:64], NOISY[64:], NOISY[:64]], axis=2).astype(np.float32)
    bands[..., 1] = -9999
    bands[:10, :10, 0] = -9999
    options = {"photometric": "minisblack", "planarconfig": "contig"}
    tags = [(42113, 2, 0, "-9999", True)]
    tifffile.imwrite(tmp_path / "in.tif", bands, extratags=tags, **options)
    run("denoise in.tif -o out.tif", tmp_path, monkeypatch)
    found = tifffile.imread(tmp_path / "out.tif")
    assert_array_equal(found == -9999, bands == -9999)
    assert (found[..., 2] != bands[..., 2]).mean() > 0.9


def test_the_user_may_say_what_is_missing(tmp_path, monkeypatch, capsys):
    X = np.where(GAPS, -1, 200 + 1000 * NOISY).astype(np.float32)
    write_raster(tmp_path / "in.tif", X)
    run("denoise in.tif -o out.tif --missing-values -1", tmp_path, monkeypatch)
    found = tifffile.imread(tmp_path / "out.tif")
    assert_array_equal(found[GAPS], X[GAPS])
    whole = PretrainedDenoiser().fit_transform((200 + 1000 * NOISY[None]).astype(np.float32))
    assert rmse(found, 200 + 1000 * CLEAN) < 1.05 * rmse(whole[0], 200 + 1000 * CLEAN)
    run("noise in.tif --missing-values -1", tmp_path, monkeypatch)
    std = float(capsys.readouterr().out.splitlines()[-1].split()[3])
    assert std == pytest.approx(100, rel=0.06)


def test_the_user_may_say_what_else_is_missing(tmp_path, monkeypatch):
    """Beside the value that the file names, of which there are as many."""
    X = np.where(GAPS, -1, 200 + 1000 * NOISY).astype(np.float32)
    X[GAPS & (np.arange(X.shape[1]) % 2 == 0)] = -9999
    write_raster(tmp_path / "in.tif", X, "-9999")
    run("denoise in.tif -o out.tif --missing-values -1", tmp_path, monkeypatch)
    assert_array_equal(tifffile.imread(tmp_path / "out.tif")[GAPS], X[GAPS])


@pytest.mark.parametrize(
    ("dtype", "value"), [("float32", -9999), ("int16", -32768), ("uint16", 0), ("float32", 1e20)]
)
def test_what_looks_missing_is_named(dtype, value, tmp_path, monkeypatch, capsys):
    X = np.where(GAPS, value, 2000 + 500 * NOISY).astype(dtype)
    write_raster(tmp_path / "in.tif", X)
    way = f"--missing-values={np.asarray(value, dtype):g}"
    for command in ("denoise in.tif -o out.tif", "noise in.tif"):
        run(command, tmp_path, monkeypatch)
        assert f"If it stands for missing pixels, pass {way}." in capsys.readouterr().err
        run(f"{command} {way}", tmp_path, monkeypatch)
        assert "stands for" not in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["saturated", "black", "hot", "two values", "constant", "bytes"])
def test_images_without_missing_pixels_have_no_sentinel(kind):
    images = {
        "saturated": (20000 * NOISY).clip(0, 9000).astype(np.uint16),
        "black": np.where(GAPS, 0, 500 * NOISY.clip(0, 1)),
        "hot": np.where(np.arange(CLEAN.size).reshape(CLEAN.shape) < 3, 60000, 500 * NOISY),
        "two values": np.where(GAPS, 0, 60000),
        "constant": np.zeros((8, 8)),
        "bytes": np.where(GAPS, 0, 200 + 50 * CLEAN).astype(np.uint8),
    }
    assert likely_sentinel([images[kind]]) is None


def test_a_disc_in_what_is_transparent(tmp_path, monkeypatch):
    image = pytest.importorskip("PIL.Image")
    y, x = np.mgrid[:128, :128]
    disc = np.hypot(y - 64, x - 64) < 55
    X = np.rint(255 * NOISY.clip(0, 1)).astype(np.uint8)
    colours = np.where(disc, X, np.random.default_rng(3).integers(0, 256, X.shape))
    pixels = np.stack([colours.astype(np.uint8), np.where(disc, 255, 0).astype(np.uint8)], axis=2)
    image.fromarray(pixels, "LA").save(tmp_path / "in.png")
    image.fromarray(X).save(tmp_path / "whole.png")
    (tmp_path / "out").mkdir()
    run("denoise in.png whole.png -o out", tmp_path, monkeypatch)
    found = np.asarray(image.open(tmp_path / "out" / "in.png"))
    whole = np.asarray(image.open(tmp_path / "out" / "whole.png"))
    assert_array_equal(found[~disc], pixels[~disc])
    assert_array_equal(found[..., 1], pixels[..., 1])
    error = rmse(found[..., 0] / 255, CLEAN, ~disc)
    assert error < 1.05 * rmse(whole / 255, CLEAN, ~disc)


def test_image_files_are_masked_where_they_say_what_is_missing(tmp_path):
    X = np.where(GAPS, -9999, 1000 * NOISY).astype(np.int16)
    write_raster(tmp_path / "a.tif", X, -9999)
    write_raster(tmp_path / "b.tif", X[:60])
    masked, plain = ImageFiles(tmp_path)
    assert_array_equal(masked.mask, GAPS)
    assert not np.ma.isMaskedArray(plain)
    found = MedianFilter().fit([masked]).predict([masked])[0]
    assert_array_equal(found, MedianFilter().fit_transform(masked[None])[0])
    with pytest.raises(ValueError, match="leave out images that have them"):
        Noise2VoidDenoiser().fit(ImageFiles(tmp_path / "a.tif"))


@pytest.mark.parametrize("kind", ["NaN", "sentinel", "masked"])
@pytest.mark.parametrize("share", [0.1, 0.4])
def test_noise_is_estimated_in_what_is_known(kind, share):
    rng = np.random.default_rng(0)
    gaps = rng.random((2, 256, 256)) < (0.1 if share == 0.1 else 0.02)
    # A part of a mosaic without any values.
    gaps[:, :100] |= share > 0.1
    clean = 200 + 1000 * ndimage.gaussian_filter(rng.random((2, 256, 256)), (0, 8, 8))
    noisy = clean + rng.normal(0, 30, clean.shape)
    X, options = with_gaps(noisy, gaps, kind)
    assert estimate_noise_std(X, **options) == pytest.approx(estimate_noise_std(noisy), rel=0.03)
    assert estimate_noise(X, **options).std == pytest.approx(30, rel=0.05)
    images = list(X) if kind == "masked" else [X[0], X[1, :200]]
    found = estimate_noise_std(images, **options)
    assert found == pytest.approx([30, 30], rel=0.05)


@pytest.mark.parametrize("kind", ["NaN", "sentinel", "masked"])
def test_camera_noise_is_estimated_in_what_is_known(kind):
    clean = np.tile(np.linspace(200, 4000, 256), (2, 256, 1))
    noisy = PoissonGaussianNoise(gain=20, std=50, clip=None, random_state=0).fit_transform(clean)
    gaps = np.random.default_rng(0).random(clean.shape) < 0.1
    gaps[:, 100:200] = True
    X, options = with_gaps(noisy, gaps, kind)
    with_pair = {"y": with_gaps(clean, gaps, kind)[0]}
    # Frames of one scene.
    for more in ({}, with_pair):
        found = estimate_noise(X, model="poisson-gaussian", **more, **options)
        for mean in (500, 3500):
            assert found.gain * (mean - found.offset) + found.std**2 == pytest.approx(
                20 * mean + 2500, rel=0.12
            )


def test_signals_with_gaps_tell_their_noise():
    X = np.random.default_rng(0).normal(0, 2, (4, 1000))
    X[np.random.default_rng(1).random(X.shape) < 0.1] = np.nan
    for estimate in (estimate_noise, lambda X, **o: GaussianNoise(estimate_noise_std(X, **o)[0])):
        assert estimate(X, image_shape=(1000,)).std == pytest.approx(2, rel=0.08)
