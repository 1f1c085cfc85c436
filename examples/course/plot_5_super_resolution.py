"""
5. Super-resolution
===================

**You will learn** how to train a network that enlarges images, why it beats interpolation, and
what it cannot know.

Lower resolution is one more way to spoil an image, so it is a noise model, too: ``Downsample``
replaces each pixel of a block of 2 × 2 by their mean. The image keeps its size, so enlarging is
denoising: a small image is first enlarged by repeating its pixels, and a network then does better.
"""

import matplotlib.pyplot as plt
from scipy.ndimage import zoom
from sklearn.model_selection import train_test_split

from skdae import DenoisingAutoencoder, Downsample
from skdae.architectures import Dense, UNet
from skdae.datasets import load_digits_images
from skdae.metrics import mean_absolute_error, peak_signal_noise_ratio
from skdae.plotting import DenoisingDisplay

X_train, X_test = train_test_split(load_digits_images().images, random_state=0)
lower = Downsample(factor=2)
X_blocks = lower.fit_transform(X_test)
X_small = X_blocks[:, ::2, ::2]
print(f"From {X_small[0].shape} to {X_test[0].shape}")

# %%
# Enlarge
# -------
# Interpolation knows only the 4 × 4 pixels. The networks also know many digits.

X_large = {
    "nearest": X_small.repeat(2, axis=1).repeat(2, axis=2),  # the same as X_blocks
    "bicubic": zoom(X_small, (1, 2, 2), order=3, mode="grid-constant", grid_mode=True).clip(0, 1),
}
for name, net in {"dense": Dense(hidden=(256,)), "U-Net": UNet(filters=(16, 32))}.items():
    dae = DenoisingAutoencoder(net, noise=lower, lr=3e-3, max_epochs=20, random_state=0)
    X_large[name] = dae.fit(X_train).predict(X_large["nearest"])

# sphinx_gallery_thumbnail_path = "images/thumb_plot_5_super_resolution.jpg"
DenoisingDisplay.from_predictions(X_test, X_blocks, X_large, input_label="4 × 4")
plt.show()

# %%
# Are the enlarged digits true to the small ones?
# -----------------------------------------------
# The second column is the error that remains after reducing the result again. It tests a result
# without knowing the clean image. The nearest pixel passes this test perfectly, and is still far
# from the digit: many large images have the same small one.

for name, X in X_large.items():
    back = mean_absolute_error(X_blocks, lower.fit_transform(X))
    print(f"{name:8}{peak_signal_noise_ratio(X_test, X):6.2f} dB{back:8.3f}")

# %%
# Exercises
# ---------
# 1. What would the networks make of a small letter?
#
# .. dropdown:: Answer
#
#     A digit, or something like parts of digits. What they add to the 16 pixels comes from the
#     training images. Never trust the details of an enlarged image whose kind the network was not
#     trained on.
#
# 2. Both networks get the same 16 numbers. Why are their results not the same?
#
# .. dropdown:: Answer
#
#     The dense network learns each pixel separately, from all 16 values. The U-Net uses the same
#     small filters everywhere, and corrects the enlarged image. Their capacity and their
#     training differ, too: train both for 60 epochs and compare again.
#
# 3. Enlarge by 4. Which line do you have to change?
#
# .. dropdown:: Answer
#
#     ``lower = Downsample(factor=4)``, and the factors of ``::2``, ``repeat`` and ``zoom``. Only
#     2 × 2 values are left of each digit, and all methods get much worse.
