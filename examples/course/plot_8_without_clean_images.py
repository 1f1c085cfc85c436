"""
8. Learning without clean images
================================

**You will learn** how a network learns to denoise from noisy images alone, and what that takes.

Some scenes have never been seen without noise. What can take the place of the clean target?
"""

import matplotlib.pyplot as plt
from sklearn.model_selection import train_test_split

from skdae import DenoisingAutoencoder, GaussianNoise, Noise2VoidDenoiser, RecorruptedDenoiser
from skdae.architectures import UNet
from skdae.datasets import load_digits_images
from skdae.metrics import mean_squared_error, peak_signal_noise_ratio
from skdae.plotting import DenoisingDisplay

X_train, X_test = train_test_split(load_digits_images().images, random_state=0)

# %%
# Two noisy copies
# ----------------
# ``clip=None`` keeps the mean of the noise at zero. This matters here.

first, second, third = (GaussianNoise(std=0.3, clip=None, random_state=i) for i in range(3))
X_1, X_2 = first.fit_transform(X_train), second.fit_transform(X_train)
X_noisy = third.fit_transform(X_test)

# %%
# Five targets for one network
# ----------------------------
# If the noise is Gaussian, and of a known strength, more of it makes two noisy copies of one.
# Noise2Void hides single pixels and predicts them from their neighbors.

net = UNet((8, 16), residual=False)
shared = {"max_epochs": 12, "lr": 2e-3, "random_state": 0}
networks = {
    "clean": DenoisingAutoencoder(net, **shared).fit(X_1, X_train),
    "second copy": DenoisingAutoencoder(net, **shared).fit(X_1, X_2),
    "more noise": RecorruptedDenoiser(net, **shared).fit(X_1),
    "hidden pixels": Noise2VoidDenoiser(net, **shared).fit(X_1),
    "itself": DenoisingAutoencoder(net, **shared).fit(X_1, X_1),
}
X_denoised = {name: network.predict(X_noisy) for name, network in networks.items()}

# sphinx_gallery_thumbnail_path = "images/thumb_plot_8_without_clean_images.jpg"
DenoisingDisplay.from_predictions(X_test, X_noisy, X_denoised)
plt.show()

# %%
# Compare
# -------
# Without clean images, a second noisy copy of the test images can judge, too. Its noise adds the
# same amount to every error, its variance of 0.3² = 0.09, so the ranking stays.

X_judge = GaussianNoise(std=0.3, clip=None, random_state=3).fit_transform(X_test)
print(f"{'':14}{'PSNR':>9}{'MSE':>8}  MSE to a noisy copy")
for name, X in {"noisy": X_noisy, **X_denoised}.items():
    psnr, mse = peak_signal_noise_ratio(X_test, X), mean_squared_error(X_test, X)
    print(f"{name:14}{psnr:6.2f} dB{mse:8.3f}{mean_squared_error(X_judge, X):8.3f}")

# %%
# The second copy comes close to clean targets. So do two copies that more noise makes of one, as
# long as the noise is Gaussian. Noise2Void needs to know nothing of the noise and gains less here:
# it needs more pixels than small digits have. A network that is to predict its own input learns to
# copy it.
#
# Exercises
# ---------
# 1. Why does a noisy target do no harm?
#
# .. dropdown:: Answer
#
#     The noise of the second copy cannot be predicted from the first. The best that the network can
#     do under the squared error is to predict the mean of the target, which is the clean image.
#
# 2. Set ``clip=(0, 1)`` in all four noise models. How far behind clean targets is the second copy
#    now, and can you still trust the noisy judge?
#
# .. dropdown:: Answer
#
#     The gap grows from 1.1 dB to 1.6 dB, and the judge is wrong. Clipping shifts the mean of the
#     noise: black pixels become 0.12 on average, and white ones 0.88. The network learns the mean
#     of the noisy target, and so the shift. The judge has the same shift and rewards it: it ranks
#     the second copy (0.059) before clean targets (0.065), although its true error is larger (0.034
#     against 0.024), and Noise2Void before the noisy images, which are better. Use a noisy target
#     or a noisy judge only if the mean of the noise is zero.
#
# 3. Use ``StripeNoise`` in place of Gaussian noise. Which methods still work?
#
# .. dropdown:: Answer
#
#     Two copies with different stripes still do. Noise2Void does not: the neighbors in the same
#     stripe reveal the noise of a hidden pixel. Nor does more Gaussian noise, which leaves the
#     stripes the same in both copies.
