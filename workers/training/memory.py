"""Does a run fit into memory? Asked before the start: the system kills what asks for more, without a word."""

import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from worklist.classifiers.recipe import Layers, Recipe
from worklist.errors import Unavailable

_GIGABYTE = 1e9
_CHANNELS = 1920
_CGROUP = Path("/sys/fs/cgroup")


class NotEnoughMemory(Unavailable):
    """The run would need more memory than there is; the message names both and what to change."""


@dataclass(frozen=True)
class _Cost:
    """Peak memory in gigabytes: what any batch takes, and each image of 224 x 224 on top."""

    fixed: float
    image: float

    def peak(self, recipe: Recipe) -> float:
        return self.fixed + self.image * recipe.batch * (recipe.input_size_px / 224) ** 2


# Measured with DenseNet201 on two cores, whole process: all layers, statistics frozen, 2.7 GB for 8 images of
# 224 x 224, 3.8 for 16, 3.9 for 8 of 320 x 320; statistics learnt as well, 4.2 and 6.3 for 8 of either size;
# features alone 1.0 and 1.1; last block 1.5 for 8 of 224 x 224. The lines go through these points, the last
# one, of one point, a little above it.
_FROZEN, _WITH_STATISTICS = _Cost(1.6, 0.138), _Cost(2.2, 0.253)
_LAST_BLOCK = _Cost(1.2, 0.05)
_FEATURES = 1.1


def estimate(recipe: Recipe, images: int, *, has_gpu: bool = False) -> float:
    """Return the peak memory of a run in bytes.

    Parameters
    ----------
    images
        In the snapshot: their features, mirrored ones too, are in memory four times while the head is fitted.
    has_gpu
        Whether fine-tuning has its activations in the memory of a GPU.
    """
    copies = 4 * (2 if recipe.flips else 1)
    head = _FEATURES + copies * images * _CHANNELS * 4 / _GIGABYTE
    return max(head, 0.0 if has_gpu else _fine_tuning(recipe)) * _GIGABYTE


def _fine_tuning(recipe: Recipe) -> float:
    """Return the peak of the stage after the head in gigabytes, 0 without one."""
    if recipe.layers is Layers.HEAD:
        return 0.0
    if recipe.layers is Layers.LAST_BLOCK:
        return _LAST_BLOCK.peak(recipe)
    return (_FROZEN if recipe.is_statistics_frozen else _WITH_STATISTICS).peak(recipe)


def check(recipe: Recipe, images: int, *, has_gpu: bool = False, available: float | None = None) -> None:
    """Check that a run fits.

    Parameters
    ----------
    has_gpu
        Whether the device that computes is a GPU; its free memory is checked too if its driver tells it.
    available
        Bytes; None: what this process can have.

    Raises
    ------
    NotEnoughMemory
        If it does not.
    """
    needed = estimate(recipe, images, has_gpu=has_gpu)
    _compare(needed, available_bytes() if available is None else available, "memory", recipe)
    graphics = graphics_bytes() if has_gpu else None
    if graphics is not None:
        # The same activations lie there; half of them in 16 bits, which is not counted on.
        _compare(_fine_tuning(recipe) * _GIGABYTE, graphics, "GPU memory", recipe)


def _compare(needed: float, available: float, kind: str, recipe: Recipe) -> None:
    if needed <= available:
        return
    figures = f"about {needed / _GIGABYTE:.1f} GB of {kind}, and {available / _GIGABYTE:.1f} GB are available"
    raise NotEnoughMemory(f"This run needs {figures}. {_advice(recipe)}")


def _advice(recipe: Recipe) -> str:
    if recipe.layers is Layers.HEAD:
        return "Use a machine with more memory, fewer images, or flips off, which halves the features."
    smaller = f"batch {recipe.batch // 2} instead of {recipe.batch}" if recipe.batch > 1 else ""
    pixels = "224 pixels" if recipe.input_size_px > 224 else ""
    choices = [text for text in (smaller, pixels, "the recipe head") if text]
    return f"Choose {' or '.join(choices)}, or close other programs."


def available_bytes() -> float:
    """Return how much this process can have: of the machine and of its control group, what it has included."""
    machine = _meminfo_available(Path("/proc/meminfo").read_text(encoding="ascii"))
    return min([machine, *_group_limits(_CGROUP)]) + _resident()


def _meminfo_available(text: str) -> float:
    """Read MemAvailable: free memory and what the kernel can give back without swapping."""
    line = next(line for line in text.splitlines() if line.startswith("MemAvailable:"))
    return float(line.split()[1]) * 1024


def _group_limits(root: Path) -> Iterable[float]:
    """Return what the control group still allows, version 2 or 1; nothing if it sets no limit."""
    for limit, used, statistics in (
        ("memory.max", "memory.current", "memory.stat"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat"),
    ):
        try:
            words = (root / limit).read_text(encoding="ascii").strip()
            if words != "max":
                cache = _file_cache((root / statistics).read_text(encoding="ascii"))
                yield float(words) - float((root / used).read_text(encoding="ascii")) + cache
        except OSError:
            continue


def _file_cache(text: str) -> float:
    """Read how much of a control group's memory is file cache, which the kernel gives back."""
    values = dict(line.split(maxsplit=1) for line in text.splitlines())
    return float(values.get("inactive_file", 0)) + float(values.get("active_file", 0))


def _resident() -> float:
    """Return the resident memory of this process: the estimate is for all of it."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return float(pages) * os.sysconf("SC_PAGE_SIZE")


def graphics_bytes() -> float | None:
    """Return the free memory of the first GPU; None without one, or where its driver does not say."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    query = [program, "--query-gpu=memory.free", "--format=csv,noheader,nounits", "--id=0"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True)
        return float(done.stdout.split()[0]) * 1024**2
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None
