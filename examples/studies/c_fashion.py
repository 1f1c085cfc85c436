"""(c) Clothing, a convolutional net with pooling and upsampling

The study trained on Fashion-MNIST with Gaussian noise of σ 0.4, clipped to [0, 1] and drawn once:
convolutions of 32 and 64 filters with max pooling, mirrored with upsampling, and a sigmoid;
binary cross-entropy, Adam, 20 epochs of 54,000 images in batches of 256. It showed the classes,
the pixels before and after, learning curves, denoised images, and the error of each image, where
a large one marks an anomaly. It stated no figures; those given as the study's come from a rerun
of its protocol in Keras 3. Its wishes, PSNR and a metric of what is perceived (SSIM), are
granted.

Here the noise is fresh at every step, the validation images are a random tenth, and the learning
rate falls to 0. The second net, a U-Net, has no bottleneck.
"""

import matplotlib.pyplot as plt
import numpy as np
from _study import Study

from skdae import DenoisingAutoencoder, GaussianNoise
from skdae.architectures import Conv, UNet
from skdae.metrics import (
    mean_absolute_error,
    mean_squared_error,
    peak_signal_noise_ratio,
    structural_similarity,
)
from skdae.plotting import DenoisingDisplay, ErrorHistogramDisplay, TrainingDisplay

study = Study(__file__, __doc__, seconds=240)
fashion = study.images("fashion_mnist")
X_train, X_test, names = fashion.X_train, fashion.X_test, fashion.target_names
noise = GaussianNoise(std=0.4, random_state=123)
X_noisy = noise.fit_transform(X_test)

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.2), layout="constrained")
left.barh(names, np.bincount(fashion.y_train, minlength=len(names)))
left.set(xlabel="training images")
for label, X in (("clean", X_test / 255), ("noisy", X_noisy)):
    right.hist(X.ravel(), bins=50, histtype="step", label=label)
right.set(xlabel="pixel value", ylabel="test pixels", yscale="log")
right.legend()
study.picture(figure, "data", "The classes, and the pixels before and after noise")

nets = {
    "conv, as in the study": DenoisingAutoencoder(
        Conv(filters=(32, 64)), noise=noise, loss="bce", max_epochs=20, random_state=123
    ),
    "U-Net": DenoisingAutoencoder(
        UNet(filters=(32, 64), stride=2), noise=noise, max_epochs=20, random_state=123
    ),
}
denoised = {name: study.fit(name, net, X_train).predict(X_noisy) for name, net in nets.items()}
metrics = (
    mean_squared_error,
    mean_absolute_error,
    peak_signal_noise_ratio,
    structural_similarity,
)
study.table(
    ["test images", "MSE", "MAE", "PSNR in dB", "SSIM"],
    [
        ["study: noisy", "0.08484", "", "", ""],
        ["study: denoised", "0.01215", "0.05844", "19.58", ""],
        *(
            [name, *(metric(X_test, X) for metric in metrics)]
            for name, X in {"noisy": X_noisy, **denoised}.items()
        ),
    ],
)
errors = {n: mean_squared_error(X_test, X, per_image=True) for n, X in denoised.items()}
study.table(
    ["MSE of an image", "min", "max", "mean", "median"],
    [
        ["study", "", "", "0.01215", "0.01092"],
        *([n, e.min(), e.max(), e.mean(), np.median(e)] for n, e in errors.items()),
    ],
)
first = ", ".join(f"{error:.4f}" for error in errors["U-Net"][:10])
study.note(f"Errors of the first ten test images, U-Net: {first}.")


def panel(rows):
    """Clean, noisy and denoised images with their class names."""
    display = DenoisingDisplay.from_predictions(
        X_test[rows], X_noisy[rows], {n: X[rows] for n, X in denoised.items()}, n_images=10
    )
    for axes, label in zip(display.axes_[0], fashion.y_test[rows], strict=True):
        axes.set_title(names[label], fontsize="small")
    return display.figure_


worst = np.argsort(-errors["U-Net"])[:10]
study.picture(panel(np.arange(10)), "images", "The first ten test images, with the PSNR of each")
study.picture(panel(worst), "worst", "The ten images with the largest errors: candidate anomalies")

figure, axes = plt.subplots(1, 2, figsize=(10, 3.2), layout="constrained")
TrainingDisplay.from_estimator(nets["conv, as in the study"], ax=axes[0])
ErrorHistogramDisplay.from_predictions(X_test, denoised["U-Net"], bins=50, ax=axes[1])
axes[0].set_title("conv, as in the study")
axes[1].set_title("U-Net")
study.picture(figure, "curves", "Learning curves of the study's net; errors of the U-Net's images")
study.finish()
