"""All public estimators, found in `skdae.__all__`, and scikit-learn's own checks over them.

A new class is found by its name. Only one that cannot be made without arguments, or is too slow
with its defaults, needs an entry in `SPECIAL`.
"""

import inspect

import pytest
from sklearn.base import BaseEstimator
from sklearn.utils.estimator_checks import parametrize_with_checks

import skdae
from skdae import (
    ConformalDenoiser,
    DenoisingAutoencoder,
    GaussianNoise,
    MeanFilter,
    MedianFilter,
    Noise2VoidDenoiser,
    NoiseSequence,
    OneOf,
    Pix2PixDenoiser,
    PoissonNoise,
    ReconstructionOutlierDetector,
    RecorruptedDenoiser,
    SelfEnsembleDenoiser,
    StripeNoise,
    VarianceStabilized,
)
from skdae.architectures import Conv, Dense, UNet
from skdae.denoisers.learned import LearnedDenoiser

# Of small images, AdaptedDenoiser keeps the pretrained network.
pytestmark = pytest.mark.filterwarnings("ignore:The pretrained network was kept:UserWarning")

SMALL_NET = {"max_epochs": 2, "batch_size": 16, "noise": GaussianNoise(std=0.1)}

SPECIAL = {
    GaussianNoise: [GaussianNoise(), GaussianNoise(std=(0.0, 0.5), clip=None)],
    NoiseSequence: [NoiseSequence([PoissonNoise(), GaussianNoise()])],
    OneOf: [OneOf([GaussianNoise(), StripeNoise()])],
    DenoisingAutoencoder: [
        DenoisingAutoencoder(Dense(hidden=(8,)), **SMALL_NET),
        DenoisingAutoencoder("linear", latent_dim=2, **SMALL_NET),
        DenoisingAutoencoder("dense", latent_dim=2, transform_to="latent", **SMALL_NET),
        DenoisingAutoencoder(Conv(filters=(4,)), **SMALL_NET),
        DenoisingAutoencoder(UNet(filters=(2, 4)), **SMALL_NET),
    ],
    Noise2VoidDenoiser: [Noise2VoidDenoiser(UNet(filters=(2, 4)), max_epochs=2, batch_size=16)],
    RecorruptedDenoiser: [
        RecorruptedDenoiser(UNet(filters=(2, 4)), max_epochs=2, batch_size=16),
        RecorruptedDenoiser(Dense(hidden=(8,)), std=0.1, max_epochs=2, batch_size=16),
    ],
    Pix2PixDenoiser: [
        Pix2PixDenoiser(UNet(filters=(2, 4)), discriminator_filters=(2, 4), **SMALL_NET)
    ],
    SelfEnsembleDenoiser: [
        SelfEnsembleDenoiser(MedianFilter()),
        SelfEnsembleDenoiser(DenoisingAutoencoder(Dense(hidden=(8,)), random_state=0, **SMALL_NET)),
    ],
    ConformalDenoiser: [ConformalDenoiser(MedianFilter())],
    # Most of scikit-learn's rows are too few to tell their noise.
    VarianceStabilized: [VarianceStabilized(MedianFilter(), PoissonNoise())],
    ReconstructionOutlierDetector: [
        ReconstructionOutlierDetector(),
        ReconstructionOutlierDetector(MeanFilter(), contamination=0.1, standardize=False),
    ],
}


def examples(base=BaseEstimator):
    """Estimators of every public class that is a `base`, in the order of their names."""
    classes = [getattr(skdae, name) for name in skdae.__all__]
    return [
        estimator
        for cls in classes
        if inspect.isclass(cls) and issubclass(cls, base) and not cls.__name__.startswith("Base")
        for estimator in SPECIAL.get(cls) or [cls()]
    ]


ESTIMATORS = examples()


def expected_failed_checks(estimator):
    """Weights say how often images are drawn, which is equal to repeating them only on average."""
    if isinstance(estimator, LearnedDenoiser):
        return {"check_sample_weight_equivalence_on_dense_data": "images are drawn at random"}
    return {}


# Many of scikit-learn's checks use rows that are not square images, and values far outside [0, 1].
@pytest.mark.filterwarnings("ignore:X spans .* makes noisy images:UserWarning")
@pytest.mark.filterwarnings("ignore:X spans .* counts no light below:UserWarning")
@pytest.mark.filterwarnings("ignore:Rows of .* values are not square images:UserWarning")
# They are too few, too.
@pytest.mark.filterwarnings("ignore:The pretrained network was kept:UserWarning")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failed_checks)
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def test_estimators_are_found_by_their_names():
    found = {type(estimator) for estimator in ESTIMATORS}
    assert {GaussianNoise, MedianFilter, DenoisingAutoencoder} <= found >= set(SPECIAL)
