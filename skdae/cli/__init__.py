"""The command ``skdae``: what can be asked for, and the exit code."""

import argparse
import os
import sys
from contextlib import suppress

from . import commands
from .messages import say, told

# The command is the interface.
__all__: list[str] = []


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
        with told():
            return args.run(args)
    except BrokenPipeError:
        raise
    except KeyboardInterrupt:
        say("interrupted; no file is half written")
        return 130
    except Exception as error:
        say(error)
        return 1


class _Version(argparse.Action):
    def __call__(self, parser, *_):
        from .. import __version__

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
    options = {"denoise": _denoise, "train": _train, "noise": _noise, "info": _info}
    for name, add_options in options.items():
        run = getattr(commands, name)
        part = parts.add_parser(name, description=run.__doc__, help=run.__doc__)
        part.set_defaults(run=run)
        add_options(part, part.add_argument)
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
    text = f"how long to adapt our network to noisy images (default: {commands.MINUTES:g})"
    limit.add_argument("--minutes", type=_minutes, help=text)
    text = f"in place of minutes; of other networks, default: {commands.STEPS}"
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
