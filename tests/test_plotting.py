import subprocess
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skdae import (
    GaussianNoise,
    MedianFilter,
    PoissonGaussianNoise,
    PoissonNoise,
    plotting,
)
from skdae.metrics import METRICS, mean_squared_error, mse_scorer, structural_similarity
from skdae.noise import BaseNoise
from skdae.plotting import (
    DenoisingDisplay,
    ErrorHistogramDisplay,
    LatentSpaceDisplay,
    NoiseDisplay,
    NoiseLevelDisplay,
    TrainingDisplay,
)


class Shrink(BaseEstimator):
    """A denoiser of the least kind."""

    def __init__(self, factor=0.5, noise=None):
        self.factor = factor
        self.noise = noise

    def fit(self, X, y=None):
        self.history_ = [{"epoch": i, "train_loss": 1 / i, "valid_loss": 2 / i} for i in (1, 2, 3)]
        return self

    def predict(self, X):
        return np.asarray(X) * self.factor


class Brighten(BaseNoise):
    """A noise that can be told by its value."""

    def __init__(self, by=0.125, *, clip=None):
        super().__init__(clip=clip)
        self.by = by

    def _corrupt(self, images, rng):
        return images + self.by


@pytest.fixture(autouse=True)
def no_figure_stays(monkeypatch):
    def forbidden(*args, **kwargs):
        raise AssertionError("a display must not show itself")

    monkeypatch.setattr(plt, "show", forbidden)
    yield
    plt.close("all")


def clean(shape=(5, 8, 8)):
    return np.random.default_rng(0).random(shape)


def shown(axes):
    """The arrays that are drawn, in the grid of their axes."""
    return [[np.asarray(panel.images[0].get_array()) for panel in row] for row in axes]


def labels(axes):
    return [[panel.get_xlabel() for panel in row] for row in axes]


# Images


@pytest.mark.parametrize("shape", [(5, 64), (5, 8, 9), (5, 8, 9, 3), (5, 8, 9, 1)])
def test_rows_show_clean_noisy_and_denoised_images(shape):
    X = clean(shape)
    display = DenoisingDisplay.from_predictions(X, X * 0.5, X * 0.25, n_images=4)
    assert display.axes_.shape == (3, 4)
    assert [row[0].get_ylabel() for row in display.axes_] == ["clean", "noisy", "denoised"]
    image_shape = {2: (8, 8), 3: shape[1:], 4: shape[1:]}[X.ndim]
    images = X.reshape(5, *image_shape)[:4]
    images = images[..., 0] if shape[-1] == 1 else images
    np.testing.assert_allclose(shown(display.axes_), [images, images * 0.5, images * 0.25])
    assert display.axes_[0, 0].images[0].get_clim() == (0, 1)
    display.figure_.canvas.draw()


def test_uint8_images_are_shown_in_the_unit_interval():
    X = (clean() * 255).astype(np.uint8)
    display = DenoisingDisplay.from_predictions(X, X, X)
    np.testing.assert_allclose(shown(display.axes_)[0], X / 255, rtol=1e-6)


def test_counts_are_shown_from_black_to_white():
    X = 100 + 4000 * clean()
    X[0, 0, :2] = 100, 4100
    display = DenoisingDisplay.from_predictions(X, X + 5000, X, data_range=4095)
    np.testing.assert_allclose(shown(display.axes_)[0], (X - 100) / 4000)
    assert (np.array(shown(display.axes_)[1]) == 1).all()
    signals = X.reshape(len(X), -1)
    rows = DenoisingDisplay.from_predictions(
        signals, signals, signals, image_shape=(X[0].size,), metric="mse"
    )
    assert rows.axes_[0, 0].get_ylim() == pytest.approx((100 - 200, 4100 + 200))


def test_metrics_of_counts_need_their_range():
    X, counts = clean(), 4095 * clean()
    unit = DenoisingDisplay.from_predictions(X, X / 2, X / 3)
    display = DenoisingDisplay.from_predictions(counts, counts / 2, counts / 3, data_range=4095)
    assert labels(display.axes_) == labels(unit.axes_)
    with pytest.raises(ValueError, match="pass data_range="):
        DenoisingDisplay.from_predictions(counts, counts / 2, counts / 3)
    noise, median = GaussianNoise(), MedianFilter().fit(counts)
    for metric in ("psnr", "ssim"):
        options = {"noise": noise, "levels": [200.0, 400.0], "metric": metric}
        levels = NoiseLevelDisplay.from_estimator(median, counts, **options, data_range=4095)
        assert 0 < levels.values["denoised"][0] < 60
        with pytest.raises(ValueError, match="pass data_range="):
            NoiseLevelDisplay.from_estimator(median, counts, **options)
    DenoisingDisplay.from_estimator(median, counts, noise=noise, data_range=4095)


def test_metric_stands_under_noisy_and_denoised_images_with_its_unit():
    X = np.full((2, 8, 8), 0.5)
    display = DenoisingDisplay.from_predictions(X, X + 0.1, X + 0.01)
    assert labels(display.axes_) == [["", ""], ["20.0 dB"] * 2, ["40.0 dB"] * 2]


def test_an_input_that_is_the_clean_image_has_no_infinite_metric():
    X = np.full((2, 8, 8), 0.5)
    display = DenoisingDisplay.from_predictions(X, X, X + 0.1)
    assert labels(display.axes_) == [["", ""], ["= clean"] * 2, ["20.0 dB"] * 2]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("shape", [(2, 8 * 9), (2, 8, 9), (2, 8, 9, 3)])
def test_every_metric_is_that_of_the_image(metric, shape):
    X = clean(shape)
    image_shape = (8, 9) if X.ndim == 2 else None
    display = DenoisingDisplay.from_predictions(X, X, X / 2, metric=metric, image_shape=image_shape)
    images = X.reshape(2, 8, 9, -1)
    values = METRICS[metric].function(images, images / 2, per_image=True)
    assert labels(display.axes_)[2] == [METRICS[metric].text.format(v) for v in values]


def test_callable_metric_and_none():
    X = clean()

    def brightest(X_true, X_pred):
        return X_pred.max()

    display = DenoisingDisplay.from_predictions(X, X, 0 * X + 0.5, metric=brightest)
    assert labels(display.axes_)[2] == ["brightest 0.5"] * 5
    display = DenoisingDisplay.from_predictions(X, X, X, metric=None)
    assert set(np.ravel(labels(display.axes_))) == {""}


def test_several_denoisers_have_a_row_each():
    X = clean()
    display = DenoisingDisplay.from_predictions(X, X, {"Mean": X / 2, "Median": X / 4})
    assert [row[0].get_ylabel() for row in display.axes_] == ["clean", "noisy", "Mean", "Median"]
    np.testing.assert_allclose(shown(display.axes_)[3], X / 4)


def test_the_input_is_called_what_it_is():
    X = clean()
    display = DenoisingDisplay.from_predictions(X, X / 2, X, input_label="4 × 4")
    assert [row[0].get_ylabel() for row in display.axes_] == ["clean", "4 × 4", "denoised"]
    fitted = MedianFilter().fit(X)
    display = DenoisingDisplay.from_estimator(fitted, X, X_noisy=X, input_label="clean")
    assert [row[0].get_ylabel() for row in display.axes_] == ["clean", "clean", "denoised"]
    assert labels(display.axes_)[0] == [""] * 5
    assert labels(display.axes_)[1] == ["= clean"] * 5


def test_signals_are_lines():
    X = clean((3, 50))
    display = DenoisingDisplay.from_predictions(X, X + 0.5, X, image_shape=(50,))
    lines = [[panel.lines[0].get_ydata() for panel in row] for row in display.axes_]
    np.testing.assert_allclose(lines, [X, X + 0.5, X])
    assert len({panel.get_ylim() for panel in display.axes_.ravel()}) == 1
    with pytest.warns(UserWarning, match="image_shape="):
        DenoisingDisplay.from_predictions(X, X, X)


def test_leads_are_lines_and_of_volumes_the_middle_slice_is_shown():
    X = clean((3, 50, 2))
    display = DenoisingDisplay.from_predictions(X, X, X, channel_axis=-1)
    np.testing.assert_allclose([line.get_ydata() for line in display.axes_[0, 0].lines], X[0].T)
    volumes = clean((3, 5, 6, 10))
    display = DenoisingDisplay.from_predictions(volumes, volumes, volumes, channel_axis=None)
    np.testing.assert_allclose(shown(display.axes_)[0], volumes[:, 2])


def test_given_axes_hold_the_grid():
    figure, (left, right) = plt.subplots(1, 2)
    X = clean()
    display = DenoisingDisplay.from_predictions(X, X, X, n_images=2, ax=left)
    assert display.figure_ is figure
    assert set(left.child_axes) == set(display.axes_.ravel())
    assert not left.axison
    assert right.axison
    figure.canvas.draw()
    outer = left.get_window_extent().padded(1)
    for panel in display.axes_.ravel():
        corners = panel.get_window_extent().corners()
        assert outer.count_contains(corners) == 4


def test_few_images_stand_in_a_row_each():
    X = clean((2, 8, 8))
    display = DenoisingDisplay.from_predictions(X, X * 0.5, X * 0.25)
    assert display.axes_.shape == (3, 2)
    np.testing.assert_allclose(shown(display.axes_), [X, X * 0.5, X * 0.25])
    assert [row[0].get_title() for row in display.axes_] == ["clean", "noisy", "denoised"]
    display.figure_.canvas.draw()
    clean_1, noisy_1, clean_2 = (display.axes_[i].get_position() for i in ((0, 0), (1, 0), (0, 1)))
    assert clean_1.y0 == pytest.approx(noisy_1.y0)
    assert clean_1.y0 > clean_2.y1
    assert clean_1.x0 == pytest.approx(clean_2.x0)
    assert clean_1.x1 < noisy_1.x0
    width, height = display.figure_.get_size_inches()
    assert width > height


def test_plot_again_draws_the_same():
    X = clean()
    display = DenoisingDisplay(X, X, X / 2)
    assert not hasattr(display, "axes_")
    assert display.plot() is display
    first = display.figure_
    assert display.plot().figure_ is not first


# Where the noise comes from


@pytest.mark.parametrize(
    ("estimator", "options"),
    [
        (Shrink(), {"noise": Brighten()}),
        (Shrink(noise=Brighten(0.25)), {"noise": Brighten()}),
        (Shrink(noise=Brighten()), {}),
        (make_pipeline(Brighten(), Shrink()), {}),
        (make_pipeline(Brighten(0.0625), Brighten(0.0625), Shrink()), {}),
        (make_pipeline(Brighten(0.0625), Shrink()), {"noise": Brighten(0.0625)}),
        (make_pipeline("passthrough", Shrink(noise=Brighten())), {}),
        (Shrink(), {"X_noisy": clean() + 0.125}),
        (GridSearchCV(Shrink(), {"factor": [0.5]}, scoring=mse_scorer), {"noise": Brighten()}),
    ],
)
def test_estimator_denoises_the_noisy_images_that_are_shown(estimator, options):
    X = clean() / 2
    options = {key: v / 2 + 0.0625 if key == "X_noisy" else v for key, v in options.items()}
    display = DenoisingDisplay.from_estimator(estimator.fit(X), X, n_images=3, **options)
    np.testing.assert_allclose(shown(display.axes_)[1], X[:3] + 0.125)
    np.testing.assert_allclose(shown(display.axes_)[2], (X[:3] + 0.125) / 2)


def test_several_estimators_have_a_row_each_under_their_names():
    """What `compare` takes; all see the same noisy images, though the noise has no seed."""
    X, noise = clean() / 2, GaussianNoise(0.1)
    named = {"half": Shrink().fit(X), "none": Shrink(1.0).fit(X), "median": MedianFilter().fit(X)}
    display = DenoisingDisplay.from_estimator(named, X, noise=noise, n_images=2)
    assert [axes[0].get_title() for axes in display.axes_] == ["clean", "noisy", *named]
    _, noisy, *denoised = (np.array([p.images[0].get_array() for p in a]) for a in display.axes_)
    np.testing.assert_allclose(denoised[0], noisy / 2)
    np.testing.assert_allclose(denoised[1], noisy)
    np.testing.assert_allclose(denoised[2], MedianFilter().fit_transform(noisy))


@pytest.mark.parametrize(
    ("named", "options"),
    [
        ({"a": Shrink(), "b": Shrink(1.0)}, {"X_noisy": clean() / 2 + 0.125}),
        ({"a": Shrink(noise=Brighten()), "b": Shrink(1.0)}, {}),
        ({"a": Shrink(noise=Brighten()), "b": Shrink(1.0, noise=Brighten())}, {}),
        ({n: make_pipeline(Brighten(), Shrink(f)) for n, f in (("a", 0.5), ("b", 1.0))}, {}),
    ],
    ids=["images", "one knows", "both know", "pipelines"],
)
def test_several_estimators_find_their_common_noise(named, options):
    X = clean() / 2
    named = {name: estimator.fit(X) for name, estimator in named.items()}
    display = DenoisingDisplay.from_estimator(named, X, n_images=5, **options)
    np.testing.assert_allclose(shown(display.axes_)[1], X[:5] + 0.125)
    np.testing.assert_allclose(shown(display.axes_)[3], X[:5] + 0.125)


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"a": Shrink(), "b": Shrink()}, "Shrink, Shrink has no noise"),
        ({"a": Shrink(noise=Brighten()), "b": Shrink(noise=Brighten(0.5))}, "more than one noise"),
        ({"a": make_pipeline(Brighten(), Shrink()), "b": Shrink()}, "do not denoise the same"),
        ({}, "without denoisers"),
    ],
)
def test_several_estimators_without_a_common_noise_say_so(named, message):
    X = clean() / 2
    with pytest.raises(ValueError, match=message):
        DenoisingDisplay.from_estimator({n: e.fit(X) for n, e in named.items()}, X)


def test_flat_rows_take_the_shape_that_the_estimator_knows():
    X = clean((3, 16 * 9))
    estimator = Shrink().fit(X)
    estimator.image_shape_ = (16, 9)
    display = DenoisingDisplay.from_estimator(estimator, X, noise=Brighten(), name="Shrink")
    assert shown(display.axes_)[0][0].shape == (16, 9)
    assert display.axes_[2, 0].get_ylabel() == "Shrink"


def test_dataframe_rows():
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(clean((5, 64)))
    display = DenoisingDisplay.from_estimator(Shrink(), X, X_noisy=X, n_images=2)
    assert display.axes_.shape == (3, 2)


@pytest.mark.parametrize("shapes", [[(12, 9), (9, 12), (10, 10)], [(12, 9)] * 3], ids=str)
def test_displays_take_every_list_of_images(shapes):
    images = [np.random.default_rng(0).random(shape) for shape in shapes]
    objects = np.empty(len(images), dtype=object)
    for i, image in enumerate(images):
        objects[i] = image
    noise = GaussianNoise(0.1, random_state=0)
    noisy = noise.fit_transform(images)
    for X in (images, objects):
        denoiser = MedianFilter().fit(X)
        display = DenoisingDisplay.from_estimator(denoiser, X, noise=noise, metric="ssim")
        for panel, image in zip(display.axes_[0], images, strict=True):
            np.testing.assert_array_equal(panel.images[0].get_array(), image)
        expected = structural_similarity(images[1][None], noisy[1][None])
        assert display.axes_[1, 1].get_xlabel() == f"SSIM {expected:.2f}"
        errors = ErrorHistogramDisplay.from_estimator(denoiser, noisy, X).errors
        np.testing.assert_array_equal(
            errors, mean_squared_error(images, denoiser.predict(noisy), per_image=True)
        )
        levels = NoiseLevelDisplay.from_estimator(denoiser, X, noise=noise, levels=[0.1, 0.2])
        assert set(levels.values) == {"noisy", "denoised"}
        assert levels.values["noisy"][0] > levels.values["noisy"][1]
        plt.close("all")
    with pytest.raises(ValueError, match=r"X_noisy has shape .* pass the images in the same shape"):
        DenoisingDisplay.from_predictions(images, noisy[:2], images)


def test_estimator_without_noise_says_what_to_pass():
    with pytest.raises(ValueError, match=r"Shrink has no noise .*noise=.*X_noisy="):
        DenoisingDisplay.from_estimator(Shrink(), clean())


def test_noise_and_noisy_images_exclude_each_other():
    with pytest.raises(ValueError, match="Both noise and X_noisy"):
        DenoisingDisplay.from_estimator(Shrink(), clean(), noise=Brighten(), X_noisy=clean())


@pytest.mark.parametrize("noise", [0.2, Brighten])
def test_noise_must_be_an_injector(noise):
    with pytest.raises(TypeError, match="is not a noise model"):
        DenoisingDisplay.from_estimator(Shrink(), clean(), noise=noise)


# Bad input


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ((clean(), clean(), clean((5, 64))), r"X_clean .*\(5, 8, 8\).*X_denoised .*\(5, 64\)"),
        ((clean(), clean((4, 8, 8)), clean()), r"\(5, 8, 8\).*X_noisy .*\(4, 8, 8\)"),
        ((clean(), clean((5, 64)), clean()), r"\(5, 8, 8\).*X_noisy .*\(5, 64\)"),
        ((clean(), clean(), {"Mean": clean((9, 8, 8))}), r"'Mean'.*\(9, 8, 8\)"),
        ((clean((2, 4, 4, 5)),) * 3, "5 channels cannot be shown"),
        ((clean() * np.nan, clean(), clean()), "X_clean contains NaN"),
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(arrays, message):
    with pytest.raises(ValueError, match=message):
        DenoisingDisplay.from_predictions(*arrays, n_images=2)
    assert not plt.get_fignums()


@pytest.mark.parametrize("n_images", [0, -1, 2.5])
def test_n_images_must_be_positive(n_images):
    with pytest.raises(ValueError, match="'n_images' parameter"):
        DenoisingDisplay.from_predictions(clean(), clean(), clean(), n_images=n_images)


def test_unknown_metric_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="'mse', 'mae', 'psnr', 'ssim'"):
        DenoisingDisplay.from_predictions(clean(), clean(), clean(), metric="rmse")


# Training


@pytest.mark.parametrize(
    "estimator",
    [
        Shrink(),
        make_pipeline(Brighten(), Shrink()),
        GridSearchCV(Shrink(), {"factor": [0.5]}, scoring=mse_scorer),
    ],
)
def test_training_display_draws_both_losses(estimator):
    display = TrainingDisplay.from_estimator(estimator.fit(clean()))
    training, validation = display.ax_.lines
    np.testing.assert_allclose(training.get_xydata(), [(1, 1), (2, 1 / 2), (3, 1 / 3)])
    np.testing.assert_allclose(validation.get_xydata(), [(1, 2), (2, 1), (3, 2 / 3)])
    texts = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert texts == ["training", "validation"]
    assert display.ax_.get_xlabel() == "epoch"
    display.figure_.canvas.draw()


def test_training_display_without_validation_draws_one_line():
    estimator = Shrink()
    estimator.history_ = [{"epoch": 1, "train_loss": 0.5}]
    figure, ax = plt.subplots()
    display = TrainingDisplay.from_estimator(estimator, ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is figure
    assert [line.get_label() for line in display.lines_] == ["training"]
    assert display.lines_[0].get_marker() == "o"


def test_validation_that_begins_late_is_drawn_from_there():
    estimator = Shrink()
    estimator.history_ = [
        {"epoch": 1, "train_loss": 0.5},
        {"epoch": 2, "train_loss": 0.4, "valid_loss": 0.6},
    ]
    validation = TrainingDisplay.from_estimator(estimator).lines_[1]
    np.testing.assert_array_equal(validation.get_ydata(), [np.nan, 0.6])


def test_estimator_without_history_is_refused():
    with pytest.raises(NotFittedError, match="Shrink has no history_"):
        TrainingDisplay.from_estimator(Shrink())


def test_losses_of_another_length_are_refused():
    with pytest.raises(ValueError, match=r"valid_loss has shape \(3,\); expected 2 numbers"):
        TrainingDisplay([1, 2], [0.1, 0.2], [0.1, 0.2, 0.3])


# Errors


@pytest.mark.parametrize("shape", [(20, 30), (20, 8, 8), (20, 8, 8, 3)])
def test_error_histogram_counts_every_image_and_marks_mean_and_median(shape):
    X = clean(shape)
    display = ErrorHistogramDisplay.from_estimator(Shrink(), X, X, bins=7)
    errors = mean_squared_error(X, X / 2, per_image=True)
    heights = [patch.get_height() for patch in display.ax_.patches]
    assert len(heights) == 7
    assert sum(heights) == 20
    marks = [line.get_xdata()[0] for line in display.ax_.lines]
    np.testing.assert_allclose(marks, [errors.mean(), np.median(errors)])
    texts = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert texts == [f"mean {errors.mean():.3g}", f"median {np.median(errors):.3g}"]
    display.figure_.canvas.draw()


def test_error_histogram_on_given_axes():
    figure, ax = plt.subplots()
    display = ErrorHistogramDisplay([0.1, 0.2]).plot(ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is figure


def test_error_histogram_of_other_shapes_is_refused():
    with pytest.raises(ValueError, match=r"\(5, 8, 8\).*\(5, 64\)"):
        ErrorHistogramDisplay.from_predictions(clean(), clean((5, 64)))
    with pytest.raises(ValueError, match="errors has shape"):
        ErrorHistogramDisplay([])


def test_import_does_not_load_matplotlib():
    code = "import sys, skdae.plotting; sys.exit('matplotlib' in sys.modules)"
    root = Path(plotting.__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)


# Noise levels


def test_noise_levels_give_the_metric_of_each_denoiser_on_the_same_noisy_images():
    X = clean()
    denoisers = {"half": Shrink().fit(X), "all": Shrink(1.0).fit(X)}
    display = NoiseLevelDisplay.from_estimator(
        denoisers, X, noise=Brighten(), levels=[0.1, 0.2], param_name="by", metric="mse"
    )
    assert list(display.values) == ["noisy", "half", "all"]
    np.testing.assert_allclose(display.values["noisy"], [0.01, 0.04])
    np.testing.assert_allclose(display.values["all"], [0.01, 0.04])
    half = [mean_squared_error(X, (X + by) / 2) for by in (0.1, 0.2)]
    np.testing.assert_allclose(display.values["half"], half)
    for line, (name, values) in zip(display.lines_, display.values.items(), strict=True):
        assert line.get_label() == name
        np.testing.assert_array_equal(line.get_xydata(), np.c_[[0.1, 0.2], values])
    assert display.ax_.get_xlabel() == "by of Brighten"
    assert display.ax_.get_ylabel() == "mean squared error"
    display.figure_.canvas.draw()


def test_noise_level_judges_what_follows_the_injectors_of_a_pipeline():
    X = clean()
    pipe = make_pipeline(Brighten(10), Shrink()).fit(X, X)
    search = GridSearchCV(Shrink(), {"factor": [0.5]}, scoring=mse_scorer).fit(X, X)
    display = NoiseLevelDisplay.from_estimator(
        {"alone": Shrink(), "pipe": pipe, "search": search},
        X,
        noise=Brighten(),
        levels=[0.25],
        param_name="by",
    )
    assert display.values["pipe"] == display.values["alone"] == display.values["search"]


def test_one_estimator_needs_no_name():
    display = NoiseLevelDisplay.from_estimator(
        Shrink(), clean(), noise=Brighten(), levels=(0.1,), param_name="by"
    )
    assert list(display.values) == ["noisy", "denoised"]


def test_every_noise_level_draws_its_own_but_for_all_the_same_noise():
    noise = GaussianNoise(clip=None)
    display = NoiseLevelDisplay.from_estimator(
        Shrink(1.0), clean((5, 64, 64)), noise=noise, levels=[0.1, 0.2, 0.4], metric="mse"
    )
    assert display.values["denoised"] == pytest.approx(display.values["noisy"])
    # Levels draw other numbers, of which the mean square deviates by one percent.
    assert display.values["noisy"] == pytest.approx(np.square([0.1, 0.2, 0.4]), rel=0.05)
    assert not hasattr(noise, "seed_")


@pytest.mark.parametrize("metric", METRICS)
def test_noise_level_names_every_metric_with_its_unit(metric):
    X = clean((3, 8 * 9))
    estimator = Shrink().fit(X)
    estimator.image_shape_ = (8, 9)
    display = NoiseLevelDisplay.from_estimator(
        estimator, X, noise=Brighten(), levels=[0.5], param_name="by", metric=metric
    )
    images = X.reshape(3, 8, 9)
    expected = METRICS[metric].function(images, (images + 0.5) / 2)
    np.testing.assert_allclose(display.values["denoised"], [expected])
    assert display.ax_.get_ylabel() == METRICS[metric].label


def test_noise_level_on_given_axes():
    figure, ax = plt.subplots()
    display = NoiseLevelDisplay([0.1, 0.2], {"mine": [20, 15]}, metric=max).plot(ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is figure
    assert ax.get_xlabel() == "noise level"
    assert ax.get_ylabel() == "max"


@pytest.mark.parametrize(
    ("noise", "variance"),
    [
        (GaussianNoise(0.2), lambda x: 0.04 + 0 * x),
        (PoissonNoise(peak=50), lambda x: x / 50),
        (PoissonGaussianNoise(0.02, 0.1, 0.3), lambda x: 0.02 * (x - 0.3).clip(0) + 0.01),
    ],
    ids=["gaussian", "poisson", "camera"],
)
def test_noise_is_shown_as_variance_against_mean(noise, variance):
    means = np.array([0.1, 0.4, 0.9])
    display = NoiseDisplay(means, [0.1, 0.2, 0.3], noise).plot()
    np.testing.assert_array_equal(display.points_.get_xydata(), np.c_[means, [0.1, 0.2, 0.3]])
    np.testing.assert_allclose(display.line_.get_xydata(), np.c_[means, variance(means)])
    assert display.line_.get_label() == type(noise).__name__
    display.figure_.canvas.draw()


@pytest.mark.parametrize("pairs", [False, True])
def test_noise_of_images_lies_on_the_line_of_its_estimate(pairs):
    X = np.tile(np.linspace(0.1, 0.9, 256), (2, 256, 1))
    noisy = PoissonNoise(peak=100, clip=None, random_state=0).fit_transform(X)
    _, ax = plt.subplots()
    display = NoiseDisplay.from_images(noisy, X if pairs else None, ax=ax)
    assert display.ax_ is ax
    means, variances = display.points_.get_xydata().T
    np.testing.assert_allclose(variances, means / 100, rtol=0.2)
    np.testing.assert_allclose(display.line_.get_ydata(), variances, rtol=0.2)
    given = NoiseDisplay.from_images(noisy, noise=PoissonNoise(peak=100))
    np.testing.assert_allclose(given.line_.get_ydata(), given.line_.get_xdata() / 100)


def test_noise_that_is_not_a_line_is_refused():
    with pytest.raises(ValueError, match="cannot be stabilized"):
        NoiseDisplay([1.0], [1.0], Brighten())
    with pytest.raises(ValueError, match="variances has shape"):
        NoiseDisplay([1.0, 2.0], [1.0], GaussianNoise())


def test_values_of_another_length_are_refused():
    with pytest.raises(ValueError, match=r"'mine' has shape \(3,\); expected 2 numbers"):
        NoiseLevelDisplay([0.1, 0.2], {"mine": [1, 2, 3]})
    with pytest.raises(ValueError, match="expected one or more numbers"):
        NoiseLevelDisplay([], {})
    with pytest.raises(ValueError, match="'psnr'"):
        NoiseLevelDisplay([1], {"mine": [1]}, metric="rmse")


def test_unknown_level_names_the_parameters_of_the_noise():
    with pytest.raises(ValueError, match="'std'.*Brighten"):
        NoiseLevelDisplay.from_estimator(Shrink(), clean(), noise=Brighten(), levels=[0.1])
    with pytest.raises(TypeError, match="is not a noise model"):
        NoiseLevelDisplay.from_estimator(Shrink(), clean(), noise=Brighten, levels=[0.1])


# Codes


class TwoMeans(BaseEstimator):
    """Codes: the means of the upper and the lower half."""

    def fit(self, X, y=None):
        return self

    def encode(self, X):
        return np.stack([half.mean((1, 2)) for half in np.split(X, 2, axis=1)], axis=1)


def offsets(ax):
    return np.concatenate([points.get_offsets() for points in ax.collections])


def test_codes_are_points_with_the_name_of_each_class_beside_them():
    X, y = clean((9, 8, 8)), np.array(list("aabbbcccc"))
    display = LatentSpaceDisplay.from_estimator(TwoMeans(), X, y)
    codes = TwoMeans().encode(X)
    np.testing.assert_allclose(offsets(display.ax_), codes)
    legend = display.ax_.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b", "c"]
    assert len({tuple(points.get_facecolor()[0]) for points in display.ax_.collections}) == 3
    display.figure_.canvas.draw()
    box = legend.get_window_extent()
    assert display.ax_.bbox.x1 <= box.x0 < box.x1 <= display.figure_.bbox.x1


def test_long_codes_are_shown_by_two_principal_components():
    Z = np.random.default_rng(0).normal(size=(50, 5)) * [5, 1, 9, 1, 1]
    display = LatentSpaceDisplay(Z).plot()
    pca = PCA(n_components=2).fit(Z)
    np.testing.assert_allclose(offsets(display.ax_), pca.transform(Z))
    assert f"first principal component ({pca.explained_variance_ratio_[0]:.0%}" in (
        display.ax_.get_xlabel()
    )


def test_real_labels_have_a_colour_bar():
    Z = clean((10, 2))
    display = LatentSpaceDisplay(Z, np.linspace(0.05, 0.5, 10)).plot()
    assert len(display.figure_.axes) == 2
    np.testing.assert_allclose(display.ax_.collections[0].get_array(), np.linspace(0.05, 0.5, 10))


def test_more_classes_than_colours_differ_in_their_markers():
    display = LatentSpaceDisplay(clean((30, 2)), np.arange(30)).plot()
    looks = {
        (tuple(points.get_facecolor()[0]), points.get_paths()[0].vertices.tobytes())
        for points in display.ax_.collections
    }
    assert len(looks) == 30


@pytest.mark.parametrize(
    "wrap",
    [
        lambda coder: make_pipeline(Brighten(), coder),
        lambda coder: make_pipeline(Brighten(), "passthrough", coder),
        lambda coder: GridSearchCV(
            make_pipeline(Brighten(), coder), {"brighten__by": [0.125]}, scoring=lambda *_: 0
        ),
    ],
    ids=["pipeline", "passthrough", "search"],
)
def test_pipelines_encode_what_their_steps_give(wrap):
    X = clean((9, 8, 8))
    figure, ax = plt.subplots()
    display = LatentSpaceDisplay.from_estimator(wrap(TwoMeans()).fit(X), X, ax=ax)
    assert display.ax_ is ax
    np.testing.assert_allclose(offsets(ax), TwoMeans().encode(X) + 0.125)


def test_denoisers_without_codes_are_refused():
    with pytest.raises(TypeError, match="Shrink has no codes"):
        LatentSpaceDisplay.from_estimator(Shrink(), clean())


def test_codes_that_make_no_plane_are_refused():
    with pytest.raises(ValueError, match="latent_dim=2"):
        LatentSpaceDisplay([[0.1], [0.2]])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        LatentSpaceDisplay(clean((5, 2)), [0, 1])
