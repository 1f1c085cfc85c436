"""(e) Digits behind a line: occlusion

The study trained a net 784-128-50-128-784 on clean MNIST digits, and gave it test digits of which
one full row (even index) or column (odd index), starting between 10 and 20, was set to 1. It
reported pictures, no figures. Its activations are not stated; here they are ReLU.

A net that has only seen clean digits cannot know what a line is. Trained *with* occlusion, the
same net learns to look behind it; a U-Net, which has no bottleneck, leaves the rest of the digit
alone.
"""

import numpy as np
from _study import Study
from sklearn.base import clone

from skdae import DenoisingAutoencoder, Occlusion
from skdae.architectures import Dense, UNet
from skdae.metrics import mean_squared_error, peak_signal_noise_ratio
from skdae.plotting import DenoisingDisplay

study = Study(__file__, __doc__)
mnist = study.images("mnist")
X_train, X_test = mnist.X_train, mnist.X_test

X_occluded = np.empty(X_test.shape, dtype=np.float32)
for start, orientation in enumerate(("rows", "columns")):
    line = Occlusion(size=1, orientation=orientation, start=(10, 20), random_state=0)
    X_occluded[start::2] = line.fit_transform(X_test[start::2])

dense = DenoisingAutoencoder(Dense(hidden=(128,)), latent_dim=50, max_epochs=60, random_state=0)
unet = DenoisingAutoencoder(UNet((32, 64), stride=2), max_epochs=20, random_state=0)
occlusion = {"noise": Occlusion(size=1, start=(10, 20))}
reconstructed = {}
for name, net, data in [
    ("dense, on clean", dense, (X_train, X_train)),
    ("dense, with occlusion", clone(dense).set_params(**occlusion), (X_train,)),
    ("U-Net, with occlusion", unet.set_params(**occlusion), (X_train,)),
]:
    reconstructed[name] = study.fit(name, net, *data).predict(X_occluded)

mse = {n: mean_squared_error(X_test, X) for n, X in reconstructed.items()}
study.table(
    ["occluded test digits", "MSE", "PSNR in dB"],
    [
        [name, mean_squared_error(X_test, X), peak_signal_noise_ratio(X_test, X)]
        for name, X in {"occluded": X_occluded, **reconstructed}.items()
    ],
)
study.note(
    "Training with occlusion divides the error of the study's net by "
    f"{mse['dense, on clean'] / mse['dense, with occlusion']:.1f}; the U-Net divides it by "
    f"{mse['dense, on clean'] / mse['U-Net, with occlusion']:.0f}."
)

display = DenoisingDisplay.from_predictions(
    X_test, X_occluded, reconstructed, n_images=10, metric="mse"
)
study.picture(display.figure_, "digits", "Occluded digits (“noisy”), with the error under each")
study.finish()
