"""What the figures of the gallery show, for those who cannot see them."""

import re

TEXTS = {
    "plot_01_denoise_digits": [
        "Four digits, each clean, noisy, and denoised by a Gaussian filter, a median filter and an "
        "autoencoder, with the PSNR below each image. Only the autoencoder's digits are clear."
    ],
    "plot_02_noise_gallery": [
        "A photograph of a temple with nine kinds of noise, one per row. The level increases from "
        "left to right, from barely visible to strong."
    ],
    "plot_03_architectures": [
        "Eight digits, clean in the first row, noisy in the second, and denoised by one "
        "architecture in each row below, with the PSNR below each image."
    ],
    "plot_04_latent_size": [
        "PSNR against the size of the code, from 2 to 64 values. The dense network is above the "
        "linear one for small codes; from 32 values on they are equal."
    ],
    "plot_05_baselines_in_one_grid": [
        "Bars of the PSNR of two networks and six filters, and a line for the noisy images. Only "
        "the networks and the narrowest Gaussian filter are better than the noisy images."
    ],
    "plot_06_latent_space": [
        "Codes of noisy digits as points in a plane, colored by label. Some digits, such as 0 and "
        "6, form clusters; others overlap in the middle.",
        "A grid of 12 by 12 images, decoded from points of the plane. Each digit changes smoothly "
        "into its neighbors.",
    ],
    "plot_07_blind_denoising": [
        "PSNR against the noise level. Each network trained at one level is best near it. The "
        "network trained on the whole range is close to the best, except for weak noise."
    ],
    "plot_08_photograph": [
        "Training loss against the epoch. It falls steeply at first, then slowly.",
        "A part of a temple roof: clean, noisy, and denoised by a filter and by the network, with "
        "the PSNR below each image.",
    ],
    "plot_09_outliers": [
        "The ten most unusual digits, all stained, their reconstructions and the errors. The error "
        "is large where the stain is.",
        "Histograms of the scores of sound and stained digits. Most stained digits lie to the left "
        "of the threshold, most sound digits to the right.",
    ],
    "plot_10_own_noise_and_net": [
        "Eight digits, clean, with a bright scratch, and denoised. The scratches are gone."
    ],
    "plot_11_microscopy": [
        "Variance of the noise against the brightness. The points lie on the straight line of the "
        "estimated noise.",
        "Cells, clean, noisy and denoised in six ways. The fine-tuned network keeps the cells, and "
        "smooths the background best.",
        "Residuals of three denoisers, in standard deviations of the noise. That of the Gaussian "
        "filter shows the outlines of cells; the others look like noise.",
    ],
    "plot_12_pretrained": [
        "A flower, clean, noisy, denoised by non-local means and by the pretrained network. The "
        "network keeps the veins of the petals."
    ],
    "plot_13_where_not_to_trust": [
        "A temple: denoised, the width of the intervals, and the pixels outside of them. The width "
        "is small in the sky and large along the edges of the roof.",
        "The share of pixels inside against the coverage asked for. The line lies above the "
        "diagonal.",
        "Residual of the network and its autocorrelation. The residual looks like noise, and only "
        "the middle of the autocorrelation is colored.",
        "Residual of the Gaussian filter and its autocorrelation. The residual shows the edges of "
        "the roof, and the autocorrelation is colored around the middle.",
    ],
    "plot_14_ecg": [
        "Three ECGs as lines, clean, noisy, by a Gaussian filter, by wavelets and by a network: "
        "the filters keep the drift of the baseline, the network removes it.",
    ],
    "plot_15_volume": [
        "The middle slice of filaments, clean, noisy, and denoised in 2-D and in 3-D by a filter "
        "and a network: the network in 3-D is the sharpest.",
    ],
    # The course.
    "plot_1_pca": [
        "Mean squared error against the size of the code, 2, 4 or 8 values, of PCA, the linear and "
        "the dense network. All fall. PCA and the linear network are equal.",
        "Digits, and below them their reconstructions from 8 values by PCA, the linear and the "
        "dense network, with the mean squared error below each image.",
    ],
    "plot_2_codes": [
        "PSNR against the size of the code, 2, 8 or 32 values, of the dense and the convolutional "
        "network. Both rise. A dashed line shows the PSNR of the noisy digits.",
        "Eight images from a zero to a six in each of two rows. Those decoded from codes change "
        "shape; those mixed from pixels fade from one digit into the other.",
    ],
    "plot_3_filters": [
        "A part of a photograph: clean, with Gaussian noise, with speckle, with salt and pepper, "
        "and with horizontal stripes."
    ],
    "plot_4_occlusion": [
        "Digits, clean and occluded by a white line, and below them the results of networks "
        "trained on clean digits, on noise and on lines, and of a U-Net trained on lines, with the "
        "PSNR below each image."
    ],
    "plot_5_super_resolution": [
        "Digits of 8 by 8 pixels, reduced to 4 by 4, and enlarged again by the nearest pixel, by "
        "bicubic interpolation, by a dense network and by a U-Net, with the PSNR below each image."
    ],
    "plot_6_anomalies": [
        "Four known digits and four zeros, and below them the reconstructions of the network with "
        "a code of 8 values and of the U-Net, with the mean squared error below each image.",
        "Histograms of the errors of known digits and of zeros. With a code of 8 values, most "
        "zeros have larger errors than the known digits. With the U-Net, both overlap.",
    ],
    "plot_7_pix2pix": [
        "Digits, clean and with four rows hidden, and below them what the U-Net trained with the "
        "squared error and pix2pix put in, with the mean squared error below each image."
    ],
    "plot_8_without_clean_images": [
        "Digits, clean and noisy, and below them the results of networks trained on clean "
        "targets, on second copies, on copies with more noise, on hidden pixels and on their own "
        "input, with the PSNR below each image. The last ones are still noisy."
    ],
    "plot_9_honest_evaluation": [
        "Pairs of bars for networks trained with three noise levels: the PSNR with the own noise, "
        "and with the noise of 0.3. With its own noise, the network of the weakest noise is best."
    ],
}


def set_texts(app, page, source):
    """Replace the texts that Sphinx-Gallery makes of titles and file names."""
    name = page.rpartition("/")[2]
    if page.startswith(("gallery/", "course/")) and name in TEXTS:
        texts = iter(TEXTS[name])
        source[0] = re.sub(
            r"^( *:alt: ).*$", lambda match: match[1] + next(texts), source[0], flags=re.M
        )
