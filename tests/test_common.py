"""One list of all public estimators, and scikit-learn's own checks over it."""

import inspect

import pytest
from sklearn.base import BaseEstimator
from sklearn.utils.estimator_checks import parametrize_with_checks

import skdae
from skdae import (
    BilateralFilter,
    DenoisingAutoencoder,
    Downsample,
    GaussianFilter,
    GaussianNoise,
    MaskingNoise,
    MeanFilter,
    MedianFilter,
    NLMeansFilter,
    Noise2VoidDenoiser,
    NoiseSequence,
    Occlusion,
    OneOf,
    Pix2PixDenoiser,
    PoissonNoise,
    ReconstructionOutlierDetector,
    SaltPepper,
    SelfEnsembleDenoiser,
    SpeckleNoise,
    StripeNoise,
    TVFilter,
    UniformNoise,
    WaveletFilter,
)
from skdae.architectures import Conv, Dense, UNet

SMALL_NET = {"max_epochs": 2, "batch_size": 16, "noise": GaussianNoise(std=0.1)}

ESTIMATORS = [
    GaussianNoise(),
    GaussianNoise(std=(0.0, 0.5), clip=None),
    UniformNoise(),
    StripeNoise(),
    PoissonNoise(),
    SpeckleNoise(),
    SaltPepper(),
    MaskingNoise(),
    Occlusion(),
    # Rows of an odd number of values cannot be halved, which is an error and has a test of its own.
    Downsample(factor=1),
    NoiseSequence([PoissonNoise(), GaussianNoise()]),
    OneOf([GaussianNoise(), StripeNoise()]),
    MeanFilter(),
    MedianFilter(),
    GaussianFilter(),
    BilateralFilter(),
    NLMeansFilter(),
    TVFilter(),
    WaveletFilter(),
    DenoisingAutoencoder(Dense(hidden=(8,)), **SMALL_NET),
    DenoisingAutoencoder("linear", latent_dim=2, **SMALL_NET),
    DenoisingAutoencoder("dense", latent_dim=2, transform_to="latent", **SMALL_NET),
    DenoisingAutoencoder(Conv(filters=(4,)), **SMALL_NET),
    DenoisingAutoencoder(UNet(filters=(2, 4)), **SMALL_NET),
    Noise2VoidDenoiser(UNet(filters=(2, 4)), max_epochs=2, batch_size=16),
    Pix2PixDenoiser(UNet(filters=(2, 4)), discriminator_filters=(2, 4), **SMALL_NET),
    SelfEnsembleDenoiser(MedianFilter()),
    SelfEnsembleDenoiser(DenoisingAutoencoder(Dense(hidden=(8,)), random_state=0, **SMALL_NET)),
    ReconstructionOutlierDetector(),
    ReconstructionOutlierDetector(MeanFilter(), contamination=0.1, standardize=False),
]


# Many of scikit-learn's checks use rows that are not square images, and values far outside [0, 1].
@pytest.mark.filterwarnings("ignore:X spans .* clips noisy images:UserWarning")
@pytest.mark.filterwarnings("ignore:Rows of .* values are not square images:UserWarning")
@parametrize_with_checks(ESTIMATORS)
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def test_every_public_estimator_is_checked():
    public = {
        obj
        for name in skdae.__all__
        if inspect.isclass(obj := getattr(skdae, name)) and issubclass(obj, BaseEstimator)
    }
    assert public == {type(estimator) for estimator in ESTIMATORS}
