"""Memory: the estimate goes through what was measured, and refuses with both figures."""

from dataclasses import replace
from pathlib import Path

import pytest

from workers.training import memory
from worklist.classifiers.recipe import PRESETS, Recipe

MEMINFO = "MemTotal:       16000000 kB\nMemFree:         1000000 kB\nMemAvailable:    4000000 kB\n"


@pytest.mark.parametrize(
    ("batch", "size", "is_frozen", "measured"),
    [
        (8, 224, True, 2.7),
        (8, 320, True, 3.9),
        (8, 224, False, 4.2),
        (8, 320, False, 6.3),
        (16, 224, True, 3.8),
    ],
)
def test_estimate_is_what_was_measured(batch, size, is_frozen, measured):
    cost = memory._FROZEN if is_frozen else memory._WITH_STATISTICS
    recipe = Recipe(batch=batch, input_size_px=size)
    assert cost.peak(recipe) == pytest.approx(measured, rel=0.03)


def test_run_that_does_not_fit_is_refused_with_both_figures_and_a_way_out():
    recipe = replace(PRESETS["full"], input_size_px=320)
    with pytest.raises(memory.NotEnoughMemory) as refused:
        memory.check(recipe, 1000, available=3e9)
    assert str(refused.value) == (
        "This run needs about 3.9 GB of memory, and 3.0 GB are available. "
        "Choose batch 4 instead of 8 or 224 pixels or the recipe head, or close other programs."
    )


def test_run_that_fits_starts():
    memory.check(PRESETS["full"], 1000, available=3e9)


def test_features_of_many_images_count():
    assert memory.estimate(PRESETS["head"], 37_000) > 3e9 > memory.estimate(PRESETS["head"], 1_000)


def test_activations_on_a_gpu_are_not_in_the_memory_of_the_host():
    recipe = Recipe(batch=64, input_size_px=320)
    assert memory.estimate(recipe, 1000) > 15e9
    assert memory.estimate(recipe, 1000, has_gpu=True) == memory.estimate(PRESETS["head"], 1000)


def test_statistics_cost_memory():
    assert memory.estimate(Recipe(batch=16), 10) > 1.5 * memory.estimate(Recipe(batch=15), 10)


def test_available_memory_is_read_from_the_kernel():
    assert memory._meminfo_available(MEMINFO) == 4_000_000 * 1024
    assert memory.available_bytes() > 1e8


@pytest.mark.parametrize(("limit", "expected"), [("3000000000", [1_400_000_000]), ("max", [])])
def test_limit_of_a_container_is_read(tmp_path: Path, limit, expected):
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    (tmp_path / "memory.current").write_text("2000000000\n")
    (tmp_path / "memory.stat").write_text("anon 5\ninactive_file 300000000\nactive_file 100000000\n")
    assert list(memory._group_limits(tmp_path)) == expected
