"""What the parts of the command ``skdae`` do; each imports what it needs when it is run."""

import ast
import sys
from contextlib import nullcontext, suppress
from pathlib import Path

from .messages import each, print_table, say

STEPS = 2000

# For so many minutes, a network is adapted to files.
MINUTES = 2.0

# What skdae.noise has beside the noises that numbers describe.
_NOT_INJECTORS = {"BaseNoise", "NoiseSequence", "OneOf", "estimate_noise"}


def denoise(args):
    """Denoise image files; all but the pixels stays as it is."""
    from .._files.atomic import atomic_write, check_place
    from .._files.places import identity, output_files
    from .._images import warn_of_sentinel

    if args.save is not None:
        if args.adapt is None:
            raise ValueError("--save keeps an adapted network; pass --adapt MINUTES, too.")
        check_place(args.save)
    others = [args.model, args.save]
    outputs = output_files(args.inputs, None if args.in_place else args.output, others)
    run = _ours(args, [*outputs]) if args.model is None else _saved(args)
    written = set()

    def work(path):
        output = outputs[path]
        if identity(output) in written:
            # Names that differ in case alone are one file on many disks.
            raise ValueError(f"{output} would be written over, which is the output of another file")
        file = _read(args, path)
        if args.model is not None:
            warn_of_sentinel(file.masked)
        denoised = run(file)
        is_as_it_was = _are_equal(file.masked, denoised)
        # Whatever would be lost by writing it anew is kept.
        content = Path(path).read_bytes() if is_as_it_was else file.replaced(denoised)
        with atomic_write(output) as opened:
            opened.write(content)
        written.add(identity(output))
        return "it came out as it was, because no noise was seen" if is_as_it_was else None

    return each(outputs, work, "denoised")


def train(args):
    """Train a denoiser on noisy images, noisy and clean ones, or clean ones and a noise model.

    Of noisy images alone, the network of PretrainedDenoiser is adapted to them.
    """
    from .._files.atomic import check_place
    from .._files.images import find_images
    from .._files.places import check_outputs
    from ..datasets import ImageFiles
    from ..denoisers import AdaptedDenoiser, DenoisingAutoencoder, Noise2VoidDenoiser

    check_place(args.output)
    paths, clean = find_images(args.folder), None
    if args.clean is not None:
        if not Path(args.clean).is_dir():
            raise ValueError(f"--clean {args.clean}: there is no such folder.")
        clean = [Path(args.clean, path.name) for path in paths]
    check_outputs([Path(args.output)], [*paths, *(clean or [])])
    X, y = _of_one_kind(ImageFiles(paths)), None
    common = {"random_state": args.seed, "verbose": 1}
    if clean is None and args.noise is None and not args.scratch:
        minutes = MINUTES if args.minutes is None else args.minutes
        denoiser = AdaptedDenoiser(minutes=minutes, max_steps=args.steps, **common)
        _say_gains(_fitted(denoiser, X))
        denoiser.save(args.output)
        return 0
    if args.minutes is not None:
        raise ValueError(
            "--minutes is for fine-tuning the pretrained network; for your own, pass --steps "
            f"(default: {STEPS})."
        )
    options = {
        "max_steps": STEPS if args.steps is None else args.steps,
        "batch_size": 8,
        # The memory of denoising is bounded, whatever the size of the images.
        "tile_size": 512,
        **common,
    }
    if clean is not None:
        y = _of_one_kind(ImageFiles(clean))
        denoiser = DenoisingAutoencoder("unet", **options)
    elif args.noise is not None:
        added = _parsed_noise(args.noise)
        _check_level(added, X[0].dtype)
        denoiser = DenoisingAutoencoder("unet", noise=added, **options)
    else:
        denoiser = Noise2VoidDenoiser(**options)
    if len(X) == 1:
        # Crops are many, where one image is not.
        denoiser.set_params(patch_size=min(48, *X[0].shape[:2]))
    _fitted(denoiser, X, y).save(args.output)
    return 0


def noise(args):
    """Print the noise of image files, in their units; 8-bit values are read as 0 to 1."""
    from .._files.places import input_files
    from .._images import warn_of_sentinel
    from ..noise import estimate_noise

    paths = input_files(args.inputs)
    width = max(len(str(path)) for path in paths)
    row = f"{{:{width}}}  {{:>13}}  {{:7}}  {{:>9}}  {{:>9}}  {{:>9}}  {{:>9}}"
    print(row.format("file", "size", "values", "std", "gain", "read std", "offset"), flush=True)

    def work(path):
        file = _read(args, path)
        images = file.masked
        warn_of_sentinel(images)
        camera = estimate_noise(images, model="poisson-gaussian")
        shape = images[0].shape if len(images) == 1 else (len(images), *images[0].shape)
        size, values = "x".join(map(str, shape)), images[0].dtype.name
        numbers = (estimate_noise(images).std, camera.gain, camera.std, camera.offset)
        cells = (f"{number:.4g}" for number in numbers)
        print(row.format(str(path), size, values, *cells), flush=True)

    return each(paths, work)


def info(args):
    """Print what a saved denoiser is."""
    from .._files.arrays import read_arrays
    from .._files.estimators import load

    model = load(args.model)
    _, tree = read_arrays(args.model)
    print(f"class: {type(model).__name__}")
    print_table("parameters", dict(_parameters(model)))
    if learned := _learned(model):
        _print_net(learned)
    print_table("versions", tree["versions"])
    return 0


def _learned(model):
    """The first with a network of an estimator and of those in it, or None."""
    from ..metrics.scorers import parts

    if hasattr(model, "net_"):
        return model
    return next((found for part in parts(model) if (found := _learned(part))), None)


def _parameters(model):
    """Names of parameters and their values as text; noises with what is a default, too."""
    from sklearn import config_context

    from ..noise import BaseNoise

    for name, value in model.get_params().items():
        is_noise = isinstance(value, BaseNoise)
        if is_noise or "__" not in name:
            with config_context(print_changed_only=not is_noise):
                # In one line, however many parameters it has.
                yield name, " ".join(repr(value).split()) if is_noise else value


def _print_net(denoiser):
    """What a net learned from, how well, and for which images."""
    last, plan = denoiser.history_[-1], denoiser.net_.plan
    size = "any size" if plan.any_size else "x".join(map(str, denoiser.image_shape_))
    print(f"image size: {size}")
    if hasattr(denoiser, "n_samples_fit_"):
        print(f"images: {denoiser.n_samples_fit_}")
    print(f"weights: {sum(weight.numel() for weight in denoiser.module_.parameters())}")
    print(f"epochs: {len(denoiser.history_)}")
    for name in ("train_loss", "valid_loss"):
        if name in last:
            print(f"{name}: {last[name]:.4g}")
    print_table("plan", vars(plan))


def _of_one_kind(files):
    """The images of files, refused where some hold counts and others not."""
    images = list(files)
    kinds = {image.dtype.name for image in images}
    if len(kinds) > 1:
        raise ValueError(
            f"The images have values of {', '.join(sorted(kinds))}, whose units differ; train on "
            "files of one kind."
        )
    return images


def _ours(args, paths):
    """A function that denoises with the pretrained network, adapted to the files or not."""
    from ..denoisers import PretrainedDenoiser

    noise = None if args.noise == "estimate" else _parsed_noise(args.noise)
    options = {"noise": noise, "strength": 1.0 if args.strength is None else args.strength}
    model = PretrainedDenoiser(**options)
    adapted = {} if args.adapt is None else _adapted(args, paths, options)

    def denoised(image, kind):
        if kind in adapted:
            return adapted[kind].predict(image[None])[0]
        return model.fit(image[None]).predict(image[None])[0]

    def run(file):
        images = file.masked
        _check_level(noise, images[0].dtype)
        return [_joined(file, image, denoised) for image in images]

    return run


def _adapted(args, paths, options):
    """Denoisers that have learned from the files, by kind of image."""
    from ..denoisers import AdaptedDenoiser

    by_kind = {}
    for path in paths:
        # What cannot be read is told when its turn comes.
        with suppress(Exception):
            file = _read(args, path)
            _check_level(options["noise"], file.masked[0].dtype)
            for image in file.masked:
                for part, kind, _ in _parts(file, image):
                    by_kind.setdefault(kind, []).append(part)
    if args.save is not None and len(by_kind) != 1:
        raise ValueError(
            f"--save keeps one network, but the files hold {len(by_kind)} kinds of images, by "
            "colors and bits; pass files of one kind, or leave --save away."
        )
    n_pixels = {kind: sum(part.size for part in parts) for kind, parts in by_kind.items()}
    for kind, parts in by_kind.items():
        minutes = args.adapt * n_pixels[kind] / sum(n_pixels.values())
        by_kind[kind] = _fitted(AdaptedDenoiser(minutes=minutes, verbose=1, **options), parts)
        _say_gains(by_kind[kind])
    if args.save is not None:
        next(iter(by_kind.values())).save(args.save)
    return by_kind


def _fitted(denoiser, *data):
    """A denoiser after its fit: with a bar on a terminal, and elsewhere a line a minute."""
    from .._training.progress import in_lines

    with nullcontext() if sys.stderr.isatty() else in_lines():
        # Whoever loads it decides anew.
        return denoiser.fit(*data).set_params(verbose=0)


def _say_gains(denoiser):
    """Say which networks are adapted; of the others, a warning has said why they are not."""
    for kind in denoiser.weights_:
        say(
            f"the adapted network was kept for {kind} images: on parts that were set aside, it is "
            f"{denoiser.gains_[kind]:.1f} dB better than the pretrained one"
        )


def _parts(file, image):
    """Parts of an image that the network sees: RGB together, and each other channel alone.

    Each with its kind, by colors and unit, and with its channels.
    """
    n = 1 if image.ndim == 2 else image.shape[2]
    unit = "8 bits" if image.dtype == "uint8" else image.dtype.kind
    if n in (1, 3):
        return [(image, (n, unit), slice(None))]
    first = [slice(3)] if file.is_rgb and n > 3 else []
    channels = [*first, *range(3 * len(first), n)]
    return [(image[..., c], (3 if c == slice(3) else 1, unit), c) for c in channels]


def _joined(file, image, denoise):
    """An image whose parts are denoised one by one."""
    import numpy as np

    from .._images import to_float

    out = np.empty(image.shape, np.float32)
    for part, kind, channels in _parts(file, image):
        is_empty = np.ma.getmaskarray(part).all()
        out[..., channels] = np.ma.getdata(to_float(part) if is_empty else denoise(part, kind))
    return out


def _saved(args):
    """A function that denoises with a saved denoiser."""
    from .._files.estimators import load
    from ..filters import BaseFilter

    if args.adapt is not None:
        raise ValueError(
            "--adapt fine-tunes our network; leave --model away, or --adapt to denoise with it."
        )
    model = load(args.model)
    if args.strength is not None:
        if "strength" not in model.get_params():
            raise ValueError(
                f"--strength is for our network, but {args.model} is a {type(model).__name__}, "
                "which has no such parameter; leave it away."
            )
        model.set_params(strength=args.strength)
    # It learns nothing, and so may take each image as it comes.
    is_open = isinstance(model, BaseFilter) and not hasattr(model, "n_features_in_")

    of_volumes = _of_volumes(model, args)

    def run(file):
        images = file.masked
        dtype = images[0].dtype
        _check_unit(model, dtype)
        if of_volumes is not None:
            return [*of_volumes(_stacked(images)[None])[0]]
        ready = (model.fit(image[None]) if is_open else model for image in images)
        return [m.predict(image[None])[0] for m, image in zip(ready, images, strict=True)]

    return run


def _read(args, path):
    """An image file, in which the user may have said what is missing."""
    from .._files.images import read_image

    file = read_image(path)
    if args.missing_values is not None:
        known = file.nodata or [()] * len(file.pages)
        file.nodata = [(*values, args.missing_values) for values in known]
    return file


def _of_volumes(model, args):
    """What denoises volumes, if that is asked for; None of a denoiser that does it by slices."""
    from sklearn.base import clone

    from ..denoisers import PretrainedDenoiser
    from ..filters import BaseFilter

    if args.volume and isinstance(model, BaseFilter):
        # It has learned nothing, and so may have been fitted to images.
        def filtered(X):
            axis = None if X.ndim == 4 else -1
            return clone(model).set_params(image_shape=None, channel_axis=axis).fit_transform(X)

        return filtered
    is_volume = hasattr(model, "image_shape_") and model._geometry.rank == 3
    if is_volume and not args.volume:
        raise ValueError(
            f"{args.model} has learned volumes; pass --volume to take the pages of a file for one."
        )
    if args.volume and not (is_volume or isinstance(model, PretrainedDenoiser)):
        raise ValueError(
            f"--volume: {args.model} has learned images, not volumes; leave --volume away to "
            "denoise page by page, or train a network with channel_axis=None in Python."
        )
    return model.predict if is_volume else None


def _stacked(pages):
    """Pages as one array."""
    import numpy as np

    return np.ma.stack(pages) if any(map(np.ma.isMaskedArray, pages)) else np.stack(pages)


def _are_equal(before, after):
    """Whether no pixel of images has changed, in the units of denoisers."""
    import numpy as np

    from .._images import to_float

    # What is missing has no value.
    return all(
        x.shape == y.shape and np.ma.filled(to_float(x) == np.ma.getdata(y), True).all()
        for x, y in zip(before, after, strict=True)
    )


def _check_unit(model, dtype):
    """Refuse counts where a network learned values in [0, 1], or the other way round."""
    if dtype.kind not in "iu" or not hasattr(model, "scaling_"):
        return
    learned_unit, is_unit = model.scaling_ == (0.0, 1.0), dtype == "uint8"
    if learned_unit != is_unit:
        learned = "values in [0, 1], as 8 bits are read" if learned_unit else "counts"
        raise ValueError(
            f"the model learned from {learned}, but this file has {8 * dtype.itemsize} bits "
            "per value; train a model on files like it."
        )


def _check_level(noise, dtype):
    """Refuse levels of 0 to 255 for 8 bits, which are read as 0 to 1, and of 0 to 1 for counts."""
    from ..noise import GaussianNoise, PoissonGaussianNoise

    if not isinstance(noise, GaussianNoise | PoissonGaussianNoise) or dtype.kind not in "iu":
        return
    level = max(noise.std) if isinstance(noise.std, tuple | list) else noise.std
    if dtype == "uint8" and level > 1:
        raise ValueError(
            f"--noise: a std of {level:g} does not fit 8-bit files, whose values are read as "
            f"0 to 1; did you mean {level / 255:.2g}, which is {level:g} of 255?"
        )
    if dtype.itemsize == 2 and 0 < level < 1 and isinstance(noise, GaussianNoise):
        values = "0 to 65535" if dtype.kind == "u" else "-32768 to 32767"
        raise ValueError(
            f"--noise: a std of {level:g} is less than one count of a 16-bit file, whose values "
            f"are {values}; did you mean {level * 65535:.4g}, which is {level:g} of the range?"
        )


def _parsed_noise(text):
    """A noise model: of a call as in Python, or Gaussian noise of a level or a range of levels."""
    from .. import noise
    from .._checks import did_you_mean

    try:
        node = ast.parse(text.strip(), mode="eval").body
        if not isinstance(node, ast.Call):
            return noise.GaussianNoise(std=ast.literal_eval(node))
        name = ast.unparse(node.func)
        args = [ast.literal_eval(arg) for arg in node.args]
        options = {option.arg: ast.literal_eval(option.value) for option in node.keywords}
    except (SyntaxError, ValueError) as error:
        raise ValueError(
            f"--noise {text!r} is not a number, a range such as '(0.05, 0.2)', or a noise model "
            "with numbers, such as 'PoissonNoise(peak=30)'."
        ) from error
    known = {n: getattr(noise, n) for n in noise.__all__ if n not in _NOT_INJECTORS}
    if name not in known:
        raise ValueError(
            f"--noise: {name} is not a noise model of skdae.{did_you_mean(name, known)}"
        )
    try:
        return known[name](*args, **options)
    except TypeError as error:
        names = ", ".join(known[name]().get_params())
        raise ValueError(f"--noise {text!r}: {name} has the parameters {names}.") from error
