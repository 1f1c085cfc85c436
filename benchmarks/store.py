"""Figures kept on disk, one line a result, so that a long benchmark goes on where it stopped."""

import hashlib
import json
import os
import platform
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import peers
import torch
from sklearn.base import BaseEstimator

import skdae


class NotRun(LookupError):
    """The file does not hold a result."""


class Store:
    """Results by name, each with the settings that it depends on.

    Parameters
    ----------
    path : Path
        A file of JSON lines; made with the first result.
    fresh : bool, default=False
        Whether to work out each result again, once.
    """

    def __init__(self, path: Path, fresh: bool = False):
        self.path = path
        self.fresh = fresh
        self._new: set[str] = set()

    def records(self) -> dict[str, dict]:
        """Everything in the file, by name."""
        if not self.path.exists():
            return {}
        lines = self.path.read_text(encoding="utf-8").splitlines()
        return {record["name"]: record for record in map(json.loads, lines)}

    def run(self, name: str, work: Callable[..., dict[str, Any]], **settings: Any) -> dict:
        """Figures of ``work(**settings)``: from the file, where it holds them for these settings.

        Parameters
        ----------
        name : str
            What the result is filed under; a result with other settings replaces it.
        work : callable
            Returns a dict that JSON can hold.
        **settings : object
            All that the figures depend on: numbers, texts, estimators, lists of them.

        Returns
        -------
        figures : dict
        """
        described = describe(settings)
        record = self.records().get(name)
        wanted = not self.fresh or name in self._new
        if wanted and record is not None and same(record["settings"], described):
            return record["figures"]
        print(f"{name} ...", flush=True)
        figures = work(**settings)
        print(f"    {short(figures)}", flush=True)
        today = datetime.now(UTC).date().isoformat()
        self._write(
            {
                "name": name,
                "settings": described,
                "figures": figures,
                "machine": machine(),
                "date": today,
            }
        )
        return figures

    def _write(self, record):
        """Add a result, or replace it in its place; the file is whole at every moment."""
        # Read again: another process may have added results.
        records = {**self.records(), record["name"]: record}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_name(f"{self.path.name}.{os.getpid()}.tmp")
        lines = [json.dumps(r, ensure_ascii=False) + "\n" for r in records.values()]
        temporary.write_text("".join(lines), encoding="utf-8")
        os.replace(temporary, self.path)
        self._new.add(record["name"])


class Reader:
    """What a `Store` holds, whatever the settings were; it runs nothing.

    Parameters
    ----------
    store : Store

    Attributes
    ----------
    used : dict of str to dict
        The records that were asked for.
    stale : set of str
        Names of those that were run with other settings than the program has now.
    missing : set of str
        Names of those that there are none of.
    """

    def __init__(self, store: Store):
        self._records = store.records()
        self.used: dict[str, dict] = {}
        self.stale: set[str] = set()
        self.missing: set[str] = set()

    def run(self, name: str, work: Callable[..., dict[str, Any]], **settings: Any) -> dict:
        """Figures under a name, as `Store.run` gives them; `NotRun` where there are none."""
        if name not in self._records:
            self.missing.add(name)
            raise NotRun(name)
        record = self.used[name] = self._records[name]
        if not same(record["settings"], describe(settings)):
            self.stale.add(name)
        return record["figures"]


def describe(value: Any) -> Any:
    """Settings as JSON; of an estimator, its repr and a digest of all that the repr leaves out."""
    if isinstance(value, dict):
        return {str(key): describe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [describe(item) for item in value]
    if isinstance(value, BaseEstimator):
        parts = sorted(
            f"{name}={_text(item)}"
            for name, item in value.get_params(deep=True).items()
            # A file to go on from changes no figure.
            if name.split("__")[-1] != "checkpoint"
        )
        digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]
        return f"{' '.join(repr(value).split())} #{digest}"
    if hasattr(value, "settings"):
        return describe(value.settings())
    return value


def _text(parameter: Any) -> str:
    """What a parameter of an estimator is, in words."""
    if isinstance(parameter, BaseEstimator):
        return repr(type(parameter).__name__)
    if isinstance(parameter, torch.nn.Module) and not [*parameter.children()]:
        # Losses hide their options from the repr.
        options = {k: v for k, v in vars(parameter).items() if not k.startswith("_")}
        return f"{parameter!r} {options}"
    return repr(parameter)


def same(settings: Any, others: Any) -> bool:
    """Whether two descriptions are of the same settings.

    Of estimators the digests decide: a repr leaves defaults out, and changes with them.
    """

    def key(described):
        text = json.dumps(described, sort_keys=True)
        return re.sub(r'"(\w+)\((?:[^"\\]|\\.)*\) (#[0-9a-f]{8})"', r'"\1 \2"', text)

    return key(settings) == key(others)


def short(figures: dict[str, Any]) -> str:
    """Figures on one line."""
    return ", ".join(
        f"{name} {value:.5g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in figures.items()
    )


def machine() -> dict[str, Any]:
    """What seconds depend on, and the last digits of the rest."""
    return {
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "bfloat16": peers.has_bfloat16(),
        "GPU": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "skdae": skdae.__version__,
    }
