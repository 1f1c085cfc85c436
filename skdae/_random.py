"""One interface to two sources of random numbers: keyed NumPy and torch generators.

Both offer ``normal``, ``uniform``, ``poisson`` and ``integers``, so that a noise is written once
and corrupts NumPy arrays and torch tensors alike. Parameters of the distributions are numbers or
arrays that broadcast against `size`.
"""

import hashlib
import threading
from collections.abc import Mapping, Set
from contextlib import contextmanager, nullcontext
from functools import partial

import numpy as np
from sklearn.utils import check_random_state


def draw_seed(random_state):
    """Draw an integer seed from `random_state` without touching the global NumPy generator.

    `None` takes fresh entropy from the operating system; an int gives the same seed every time; a
    `numpy.random.RandomState` is advanced.
    """
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1, np.uint64)[0]) >> 1
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))


# Fits in threads take turns, because torch's global generator is one for the process.
_GLOBAL_GENERATOR = threading.RLock()


@contextmanager
def seeded(seed, device):
    """Weights and dropout draw from torch's global generators, which are left as they were.

    So are its default dtype and device, which are float32 and the CPU meanwhile.
    """
    import torch

    devices = [device] if device.type == "cuda" else []
    # Where it is the CPU already, torch would be slower inside of the context.
    is_elsewhere = torch.get_default_device().type != "cpu"
    on_cpu = torch.device("cpu") if is_elsewhere else nullcontext()
    with _GLOBAL_GENERATOR, torch.random.fork_rng(devices=devices), on_cpu:
        # Not torch.manual_seed, which seeds all devices.
        torch.default_generator.manual_seed(seed)
        for index in devices:
            with torch.cuda.device(index):
                torch.cuda.manual_seed(seed)
        dtype = torch.get_default_dtype()
        torch.set_default_dtype(torch.float32)
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)


def described(value, identity=lambda value: value):
    """Text that equal values share in every process, and unequal ones do not.

    Numbers are equal whatever holds them: a list, a tuple, an array, or a scalar of any dtype. Of
    an object, at any depth, ``identity(value)`` is what tells it from others.
    """
    value = identity(value)
    inner = partial(described, identity=identity)
    if hasattr(value, "__qualname__"):
        # A class or function; the module may have another name in another process.
        return value.__qualname__
    numbers = _numbers(value)
    if numbers is not None:
        return f"{numbers.shape} {numbers.tobytes().hex()}"
    if value is None or isinstance(value, str | bytes | int):
        return repr(str(value) if isinstance(value, str) else value)
    if isinstance(value, Mapping):
        return f"{{{', '.join(sorted(map(inner, value.items())))}}}"
    if isinstance(value, Set):
        return f"{{{', '.join(sorted(map(inner, value)))}}}"
    if isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim):
        return f"[{', '.join(map(inner, value))}]"
    try:
        parts = value.__reduce_ex__(4)
    except TypeError:
        # What cannot be pickled, such as a lock.
        parts = type(value)
    return inner(parts)


def _numbers(value):
    """Numbers as an array of float64, in which -0.0 is 0.0; None where `value` holds others."""
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):
        # Lists of different lengths, and tensors elsewhere.
        return None
    return array.astype(np.float64) + 0.0 if array.dtype.kind in "biuf" else None


class _Generator:
    """Distributions with parameters, made from the standard ones of a subclass."""

    def normal(self, loc, scale, size):
        numbers = self._standard_normal(size) * scale
        # A pass over the numbers costs a good part of drawing them.
        return numbers if isinstance(loc, float) and loc == 0.0 else numbers + loc

    def uniform(self, low, high, size):
        return self._standard_uniform(size) * (high - low) + low

    def integers(self, low, high, size):
        """Integers from `low` up to, not including, `high`."""
        # float32 uniforms can round up to `high` after scaling, hence the clip.
        span = high - low
        return low + self._floor(self._standard_uniform(size) * span).clip(None, span - 1)


class KeyedGenerator(_Generator):
    """One stream of random numbers per image, keyed by its pixels, a seed and who asks.

    The key of an image is the BLAKE2b hash of its bytes under the other two; the numbers come from
    the counter-based generator Philox (Salmon et al. 2011, "Parallel random numbers: as easy as 1,
    2, 3") under that key. So the numbers of an image depend on nothing but these three.

    Parameters
    ----------
    images : ndarray of shape (n_samples, height, width, n_channels), float32 or float64
        Also decides the dtype of the numbers.
    seed : int
        Nonnegative, below ``2**64``.
    asker : str, default=""
        Askers of another name get independent numbers.
    """

    def __init__(self, images, seed, asker=""):
        person = hashlib.blake2b(asker.encode(), digest_size=16).digest()
        key = partial(
            hashlib.blake2b, digest_size=16, key=seed.to_bytes(8, "little"), person=person
        )
        rows = np.ascontiguousarray(images).reshape(len(images), -1)
        #: One key per image; equal images have equal ones.
        self.keys = [key(row).digest() for row in rows]
        self._words = np.frombuffer(b"".join(self.keys), dtype=np.uint64).reshape(-1, 2)
        self._dtype = images.dtype
        self._bits = np.random.Philox(key=0)
        self._generator = np.random.Generator(self._bits)
        #: How often it was asked for numbers.
        self.n_calls = 0

    def _draw(self, draw, size):
        """An array of `size` whose i-th image is written by ``draw(dtype=..., out=out[i])``."""
        out = np.empty(size, dtype=self._dtype)
        state = self._bits.state
        # Each call owns one value of the counter's third word, 2**128 numbers apart from the next.
        self.n_calls += 1
        state["state"]["counter"][:] = (0, 0, self.n_calls, 0)
        state["buffer_pos"], state["has_uint32"] = 4, 0
        for key, row in zip(self._words, out, strict=True):
            # Setting the state is several times cheaper than a new generator per image.
            state["state"]["key"] = key
            self._bits.state = state
            draw(dtype=self._dtype, out=row)
        return out

    def _standard_normal(self, size):
        return self._draw(self._generator.standard_normal, size)

    def _standard_uniform(self, size):
        return self._draw(self._generator.random, size)

    def poisson(self, lam):
        """Poisson counts of the rates `lam`, an array with one image per row."""
        rates, draw = iter(lam), self._generator.poisson
        return self._draw(lambda dtype, out: np.copyto(out, draw(next(rates))), lam.shape)

    _floor = staticmethod(np.floor)


class TorchGenerator(_Generator):
    """The same numbers in distribution, fresh at every call, on a torch generator's device.

    Parameters
    ----------
    generator : torch.Generator
    """

    def __init__(self, generator):
        # Noises in NumPy arrays need no torch.
        import torch

        where = {"generator": generator, "device": generator.device, "dtype": torch.float32}
        self._standard_normal = partial(torch.randn, **where)
        self._standard_uniform = partial(torch.rand, **where)
        #: Poisson counts of the rates `lam`.
        self.poisson = partial(torch.poisson, generator=generator)
        self._floor = torch.floor
