"""Recipes: what a file may say, and the sentence for what it may not."""

import json

import pytest

from worklist.classifiers.recipe import PRESETS, Layers, Precision, Recipe, read_recipe
from worklist.errors import Invalid, Unavailable


@pytest.mark.parametrize("name", PRESETS)
def test_preset_comes_back_from_its_json(name):
    assert Recipe.from_json(read_recipe(name).to_json()) == PRESETS[name]


def test_a_file_names_what_differs(tmp_path):
    path = tmp_path / "recipe.json"
    path.write_text('{"layers": "last-block", "rotation_degrees": 15, "mixed_precision": "off"}')
    recipe = read_recipe(str(path))
    assert (recipe.layers, recipe.rotation_degrees) == (Layers.LAST_BLOCK, 15.0)
    assert recipe.mixed_precision is Precision.OFF
    assert recipe.batch == Recipe().batch


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("layers", "tail", "'tail'; it must be one of head, last-block, all"),
        ("input_size_px", 225, "225; it must be a multiple of 32 from 64 to 512"),
        ("batch", True, "True; it must be a whole number from 1 to 1024"),
        ("batch", 8.0, "8.0; it must be a whole number from 1 to 1024"),
        ("rate", "fast", "'fast'; it must be a number above 0, at most 0.1"),
        ("rate", float("nan"), "nan; it must be a number above 0, at most 0.1"),
        ("rotation_degrees", -1, "-1.0; it must be a number of degrees from 0 to 180"),
        ("flips", 1, "1; it must be true or false"),
        ("mixed_precision", None, "None; it must be one of auto, on, off"),
    ],
)
def test_value_that_breaks_its_rule_is_named_with_it(name, value, rule):
    with pytest.raises(Invalid) as refused:
        Recipe.from_json(json.dumps({name: value}))
    assert str(refused.value) == f"The recipe's {name} is {rule}."


def test_key_that_no_recipe_has_is_refused():
    with pytest.raises(Invalid, match="no 'learning_rate'; it has layers, input_size_px"):
        Recipe.from_json('{"learning_rate": 0.1}')


@pytest.mark.parametrize("text", ["[1]", "{", "7"])
def test_what_is_no_json_object_is_refused(text):
    with pytest.raises(Invalid, match="JSON"):
        Recipe.from_json(text)


def test_name_of_nothing_is_told_with_the_presets():
    with pytest.raises(Unavailable, match="ful is none of head, last-block, full, and no file to read"):
        read_recipe("ful")


def test_small_batches_keep_the_statistics():
    assert Recipe(batch=15).is_statistics_frozen
    assert not Recipe(batch=16).is_statistics_frozen
