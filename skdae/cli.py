"""The command ``skdae``: parses, calls, prints. Each part imports what it needs when it is run."""

import argparse
import ast
import os
import sys
import time
import warnings
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

# The command is the interface.
__all__: list[str] = []

_STEPS = 2000

# For so many minutes, a network is adapted to files.
_MINUTES = 2.0

# What skdae.noise has beside the noises that numbers describe.
_NOT_INJECTORS = {"BaseNoise", "NoiseSequence", "OneOf", "estimate_noise"}


def main(arguments=None):
    """Run the command; returns the exit code, such as 1 if anything failed."""
    with suppress(AttributeError, ValueError):
        # A terminal may lack letters that names of files have.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        try:
            return _run(arguments)
        finally:
            print(end="", flush=True)
    except BrokenPipeError:
        # Whoever reads the output has seen enough; at its end, Python would write to it again.
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _run(arguments):
    """The exit code of a command line; a broken pipe is raised."""
    args = _parser().parse_args(arguments)
    try:
        _check_not_empty(args)
        with _told():
            return args.run(args)
    except BrokenPipeError:
        raise
    except KeyboardInterrupt:
        _say("interrupted; no file is half written")
        return 130
    except Exception as error:
        _say(error)
        return 1


class _Version(argparse.Action):
    def __call__(self, parser, *_):
        from . import __version__

        print(f"skdae {__version__}")
        parser.exit()


def _check_not_empty(args):
    """Refuse empty paths, which Python takes for the folder where the command runs."""
    for name in ("inputs", "folder", "model", "output", "clean", "save"):
        value = getattr(args, name, None)
        if value == "" or (isinstance(value, list) and "" in value):
            raise ValueError(f"{name} is an empty path; pass a name, or . for this folder.")


def _parser():
    parser = argparse.ArgumentParser(
        "skdae",
        description="Denoise images: PNG, JPEG, TIFF, BMP and WebP files, and folders of them.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    parts = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for run, options in ((denoise, _denoise), (train, _train), (noise, _noise), (info, _info)):
        part = parts.add_parser(run.__name__, description=run.__doc__, help=run.__doc__)
        part.set_defaults(run=run)
        options(part, part.add_argument)
    return parser


_NOISE = (
    "a standard deviation (values of 8-bit files are read as 0 to 1, so that 25 of 255 is "
    "0.098; values of 16-bit files as 0 to 65535), or a noise model as in Python, such as "
    "'PoissonGaussianNoise(gain=2.0, std=5.0)'"
)


def _denoise(part, add):
    _noise(part, add)
    place = part.add_mutually_exclusive_group(required=True)
    place.add_argument("-o", "--output", metavar="OUT", help="a file for one file, else a folder")
    place.add_argument("--in-place", action="store_true", help="write over the input")
    kind = part.add_mutually_exclusive_group()
    kind.add_argument("--model", metavar="FILE", help="a saved denoiser, in place of ours")
    kind.add_argument("--noise", default="estimate", help=f"'estimate' (default), {_NOISE}")
    text = (
        "less than 1 leaves some grain, more than 1 smooths more, 0 changes nothing; 0.6,1.0 is "
        "0.6 for the luminance and 1.0 for the colors (default: 1.0)"
    )
    add("--strength", type=_strength, metavar="S", help=text)
    text = "first, fine-tune our network on the files themselves for so many minutes"
    add("--adapt", type=_minutes, metavar="MINUTES", help=text)
    add("--save", metavar="MODEL", help="where to keep the adapted network")
    text = (
        "the pages of a file are the slices of one volume: a --model that is a filter, or has "
        "learned volumes, sees all three axes; our network denoises slice by slice"
    )
    add("--volume", action="store_true", help=text)


def _train(part, add):
    add("folder", metavar="FOLDER", help="noisy images; clean ones with --noise")
    add("-o", "--output", metavar="MODEL", required=True, help="file to write")
    kind = part.add_mutually_exclusive_group()
    kind.add_argument("--clean", metavar="FOLDER", help="clean images with the same names")
    kind.add_argument("--noise", help=f"noise to add: {_NOISE}; or a range '(0.05, 0.2)'")
    text = "learn from the noisy images alone (Noise2Void)"
    kind.add_argument("--scratch", action="store_true", help=text)
    limit = part.add_mutually_exclusive_group()
    text = f"how long to adapt our network to noisy images (default: {_MINUTES:g})"
    limit.add_argument("--minutes", type=_minutes, help=text)
    text = f"in place of minutes; of other networks, default: {_STEPS}"
    limit.add_argument("--steps", type=int, help=text)
    add("--seed", type=int, help="the same seed gives the same denoiser")


def _noise(part, add):
    add("inputs", nargs="+", metavar="IN", help="image files or folders")
    text = (
        "what stands for missing pixels, such as -9999 (default: what a TIFF file says, NaN, and "
        "what is transparent)"
    )
    add("--missing-values", type=float, metavar="VALUE", help=text)


def _info(part, add):
    add("model", metavar="MODEL", help="a file that skdae saved")


def _minutes(text):
    """Minutes of training."""
    minutes = float(text)
    if not 0 < minutes < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number of minutes greater than 0")
    return minutes


def _strength(text):
    """A number, or one for the luminance and one for the colors."""
    try:
        numbers = tuple(float(part) for part in text.strip("()[] ").split(","))
    except ValueError:
        numbers = ()
    if len(numbers) not in (1, 2) or not all(0 <= number <= 10 for number in numbers):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a number from 0 to 10, such as 0.7, nor a pair of them, such as "
            "0.6,1.0 for luminance and colors"
        )
    return numbers if len(numbers) == 2 else numbers[0]


# The commands


def denoise(args):
    """Denoise image files; all but the pixels stays as it is."""
    from ._files.atomic import atomic_write, check_place
    from ._files.places import identity, output_files
    from ._images import warn_of_sentinel

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

    return _each(outputs, work, "denoised")


def train(args):
    """Train a denoiser on noisy images, noisy and clean ones, or clean ones and a noise model.

    Of noisy images alone, the network of PretrainedDenoiser is adapted to them.
    """
    from ._files.atomic import check_place
    from ._files.images import find_images
    from ._files.places import check_outputs
    from .datasets import ImageFiles
    from .denoisers import AdaptedDenoiser, DenoisingAutoencoder, Noise2VoidDenoiser

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
        minutes = _MINUTES if args.minutes is None else args.minutes
        denoiser = AdaptedDenoiser(minutes=minutes, max_steps=args.steps, **common)
        _say_gains(_fitted(denoiser, X))
        denoiser.save(args.output)
        return 0
    if args.minutes is not None:
        raise ValueError(
            "--minutes is for fine-tuning the pretrained network; for your own, pass --steps "
            f"(default: {_STEPS})."
        )
    options = {
        "max_steps": _STEPS if args.steps is None else args.steps,
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
    from ._files.places import input_files
    from ._images import warn_of_sentinel
    from .noise import estimate_noise

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

    return _each(paths, work)


def info(args):
    """Print what a saved denoiser is."""
    from ._files.arrays import read_arrays
    from ._files.estimators import load

    model = load(args.model)
    _, tree = read_arrays(args.model)
    print(f"class: {type(model).__name__}")
    _print_table("parameters", dict(_parameters(model)))
    if learned := _learned(model):
        _print_net(learned)
    _print_table("versions", tree["versions"])
    return 0


def _learned(model):
    """The first with a network of an estimator and of those in it, or None."""
    from .metrics.scorers import parts

    if hasattr(model, "net_"):
        return model
    return next((found for part in parts(model) if (found := _learned(part))), None)


def _parameters(model):
    """Names of parameters and their values as text; noises with what is a default, too."""
    from sklearn import config_context

    from .noise import BaseNoise

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
    _print_table("plan", vars(plan))


# What they share


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
    from .denoisers import PretrainedDenoiser

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
    from .denoisers import AdaptedDenoiser

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
    from ._training.progress import in_lines

    with nullcontext() if sys.stderr.isatty() else in_lines():
        # Whoever loads it decides anew.
        return denoiser.fit(*data).set_params(verbose=0)


def _say_gains(denoiser):
    """Say which networks are adapted; of the others, a warning has said why they are not."""
    for kind in denoiser.weights_:
        _say(
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

    from ._images import to_float

    out = np.empty(image.shape, np.float32)
    for part, kind, channels in _parts(file, image):
        is_empty = np.ma.getmaskarray(part).all()
        out[..., channels] = np.ma.getdata(to_float(part) if is_empty else denoise(part, kind))
    return out


def _saved(args):
    """A function that denoises with a saved denoiser."""
    from ._files.estimators import load
    from .filters import BaseFilter

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
    from ._files.images import read_image

    file = read_image(path)
    if args.missing_values is not None:
        known = file.nodata or [()] * len(file.pages)
        file.nodata = [(*values, args.missing_values) for values in known]
    return file


def _of_volumes(model, args):
    """What denoises volumes, if that is asked for; None of a denoiser that does it by slices."""
    from sklearn.base import clone

    from .denoisers import PretrainedDenoiser
    from .filters import BaseFilter

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

    from ._images import to_float

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
    from .noise import GaussianNoise, PoissonGaussianNoise

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
    from . import noise
    from ._checks import did_you_mean

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


def _each(paths, work, done=None):
    """Do work for each file; one that fails is told, and the others are done.

    Work returns why a file was left alone, or None. Of several, a summary says what was done.
    """
    from tqdm import tqdm

    began, n_failed, left = time.monotonic(), 0, {}
    # A bar on a terminal alone.
    for path in tqdm(paths, unit="file", disable=None):
        try:
            with _told(path):
                left[path] = work(path)
        except BrokenPipeError:
            raise
        except Exception as error:
            n_failed += 1
            left[path] = _say(error, path)
    left = {path: why for path, why in left.items() if why}
    if done and len(paths) > 1:
        seconds = time.monotonic() - began
        _say(f"{len(paths) - len(left)} of {len(paths)} files {done} in {seconds:.1f} s")
        for path, why in left.items():
            _say(f"left alone: {why}", path)
    return int(n_failed > 0)


@contextmanager
def _told(path=None):
    """Print warnings as messages, not as lines of code."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        # The command's name of a parameter.
        warnings.showwarning = lambda message, *where: _say(
            f"warning: {message}".replace(" missing_values=", " --missing-values="), path
        )
        yield


def _say(what, path=None):
    """Write a message to the standard error, beside the bar; it names the file. Returns it."""
    from tqdm import tqdm

    text = str(what) or repr(what)
    if isinstance(what, OSError) and what.strerror:
        # Without Python's number of the error.
        text = what.strerror + (f": {what.filename!r}" if what.filename is not None else "")
    if path is not None and str(path) not in text:
        text = f"{path}: {text}"
    tqdm.write(f"skdae: {text}", file=sys.stderr)
    return text


def _print_table(title, values):
    print(f"{title}:")
    for name, value in values.items():
        print(f"  {name}: {value}")
