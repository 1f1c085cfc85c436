"""(b) Digits, linear layers; then super-resolution

The study trained a symmetric net of fully connected layers on noisy MNIST digits: five
reductions, batch norm, LeakyReLU, binary cross-entropy, Adam. It reported that the loss fell to
0.15, and digits that were right but blurred. Noise and sizes are not stated; here σ is 0.5, and
the layers have 512, 256, 128, 64 and 32 units.

Then it enlarged digits of lower resolution, without noise, with fewer layers and ReLU, and
reported a loss below 0.02. That cannot be the binary cross-entropy of grey digits, which is at
least the entropy of the pixels; as a mean squared error it can. Here digits of 14 × 14 pixels,
the block means of 2 × 2, are enlarged to 28 × 28 with either loss.
"""

import numpy as np
from _study import Study, binary_cross_entropy
from scipy.ndimage import zoom

from skdae import DenoisingAutoencoder, Downsample, GaussianNoise
from skdae.architectures import Dense, UNet
from skdae.metrics import mean_squared_error, peak_signal_noise_ratio
from skdae.plotting import DenoisingDisplay

study = Study(__file__, __doc__)
mnist = study.images("mnist")
X_test = mnist.X_test
entropy = binary_cross_entropy(X_test, X_test)

noise = GaussianNoise(std=0.5, random_state=0)
X_noisy = noise.fit_transform(X_test)
linear = DenoisingAutoencoder(
    Dense(hidden=(512, 256, 128, 64, 32), activation="leaky_relu", batch_norm=True),
    noise=noise,
    loss="bce",
    optimizer="adam",
    max_epochs=60,
    random_state=0,
)
study.fit("linear layers", linear, mnist.X_train)
X_denoised = linear.predict(X_noisy)

metrics = (binary_cross_entropy, mean_squared_error, peak_signal_noise_ratio)
study.table(
    ["denoising", "study's BCE", "BCE", "MSE", "PSNR in dB"],
    [
        ["noisy", "", *(metric(X_test, X_noisy) for metric in metrics)],
        ["five reductions", "0.15", *(metric(X_test, X_denoised) for metric in metrics)],
    ],
)

# Super-resolution: the "noise" is the lower resolution, and fit needs nothing else.
lower = Downsample(factor=2)
X_small = lower.fit_transform(X_test)
bicubic = zoom(X_small, (1, 2, 2), order=3, mode="grid-constant", grid_mode=True).clip(0, 1)
enlarged = {"bicubic": bicubic.astype(np.float32)}
for loss in ("mse", "bce"):
    net = DenoisingAutoencoder(
        UNet(filters=(32, 64)), noise=lower, loss=loss, max_epochs=30, random_state=0
    )
    study.fit(f"super-resolution, {loss}", net, mnist.X_train)
    enlarged[f"net, {loss}"] = net.predict(X_small)

mse = {name: mean_squared_error(X_test, X) for name, X in enlarged.items()}
excess = {name: binary_cross_entropy(X_test, X) - entropy for name, X in enlarged.items()}
study.table(
    ["14 × 14 to 28 × 28", "study's loss", "MSE", "MSE / bicubic", "BCE - entropy"],
    [
        [
            name,
            "" if name == "bicubic" else "< 0.02",
            mse[name],
            mse[name] / mse["bicubic"],
            excess[name],
        ]
        for name in enlarged
    ],
)
study.note(f"The entropy of the test digits is {entropy:.4f}: no binary cross-entropy is below it.")

display = DenoisingDisplay.from_predictions(
    X_test, X_noisy, {"five reductions": X_denoised}, n_images=10, metric="mse"
)
study.picture(display.figure_, "digits", "The first ten test digits, with the error under each")
display = DenoisingDisplay.from_predictions(X_test, X_small, enlarged, n_images=10, metric="mse")
study.picture(display.figure_, "enlarged", "Digits of 14 × 14 pixels (“noisy”), enlarged")
study.finish()
