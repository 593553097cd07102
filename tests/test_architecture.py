"""Rules that tools cannot see, as small checks of the syntax tree; each tells the accident behind it."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("worklist", "workers", "web")
LONGEST_FILE, LONGEST_FUNCTION, MOST_PARAMETERS = 400, 50, 6
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "core", "manager", "service", "base", "misc"}
FILES = [
    path
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
    if not {"viewer", "node_modules"} & set(path.relative_to(ROOT).parts)
]
TREES = {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in FILES}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def nodes(*kinds: type[ast.AST]) -> Iterator[tuple[str, ast.AST]]:
    """Yield every node of some kinds with the file it is in."""
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, kinds):
                yield name, node


def place(name: str, node: ast.AST) -> str:
    """Return where a node is, as an editor opens it."""
    return f"{name}:{getattr(node, 'lineno', 0)}"


def attributes(owner: str, *names: str) -> list[str]:
    """Return where an attribute of something is used, such as ``time.time``."""
    return [
        place(name, node)
        for name, node in nodes(ast.Attribute)
        if isinstance(node, ast.Attribute) and node.attr in names and ast.unparse(node.value).endswith(owner)
    ]


def outside(found: list[str], *allowed: str) -> list[str]:
    """Return what was found anywhere else than in the allowed files."""
    return [where for where in found if where.rsplit(":", 1)[0] not in allowed]


def test_only_the_database_module_commits():
    """A commit in the middle of a request kept half of it, and jobs went out for rows that were rolled back."""
    calls = [
        place(name, node)
        for name, node in nodes(ast.Call)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "commit"
    ]
    assert outside(calls, "worklist/database.py") == []


def test_only_settings_reads_the_environment():
    """A variable read in a corner was neither checked at the start nor in the documents: its typo went unseen.

    The command line hands the whole environment on to the process that it becomes, and a training worker tells
    Celery, which asks the environment, how to end.
    """
    found = attributes("os", "environ", "getenv")
    assert outside(found, "worklist/settings.py", "worklist/cli/__init__.py", "workers/__main__.py") == []


def test_only_the_clock_module_asks_for_the_time():
    """A naive ``datetime.now()`` put studies of the hour of daylight saving an hour too far down."""
    found = attributes("datetime", "now", "utcnow", "today") + attributes("time", "time")
    assert outside(found, "worklist/clock.py") == []


def test_inside_worklist_only_jobs_knows_celery():
    """A task imported by the receiver pulled OpenCV into it, and a C-STORE waited for it to load."""
    found = []
    for name, node in nodes(ast.Import, ast.ImportFrom):
        modules = (
            [node.module or ""] if isinstance(node, ast.ImportFrom) else [item.name for item in node.names]
        )
        if name.startswith("worklist/") and any(
            module.split(".")[0] in {"celery", "kombu"} for module in modules
        ):
            found.append(place(name, node))
    assert outside(found, "worklist/jobs.py") == []


def test_the_three_packages_are_those_of_this_repository():
    """``workers`` and ``web`` are names on the package index too; a foreign one was imported without a word."""
    program = "from importlib.util import find_spec\n" + "\n".join(
        f"print(*find_spec({package!r}).submodule_search_locations)" for package in PACKAGES
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert [Path(line) for line in done.stdout.split()] == [ROOT / package for package in PACKAGES]


def test_no_file_is_longer_than_a_person_reads_at_once():
    """A file of 1 500 lines had three subjects, and each change to one conflicted with the other two."""
    lengths = {path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines()) for path in FILES}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def test_no_function_is_longer_than_a_screen():
    """Faults hide in the second screen of a function: nobody scrolls back to see what a name still means."""
    long = {
        f"{place(name, node)} {node.name}": _lines(node)
        for name, node in nodes(ast.FunctionDef, ast.AsyncFunctionDef)
        if isinstance(node, Function) and _lines(node) > LONGEST_FUNCTION
    }
    assert long == {}


def test_no_function_takes_more_than_six_parameters():
    """With seven, two of the same type were handed over in the wrong order, and the types agreed.

    ``session`` does not count: it comes first everywhere and cannot be taken for anything else.
    """
    many = [
        f"{place(name, node)} {node.name}"
        for name, node in nodes(ast.FunctionDef, ast.AsyncFunctionDef)
        if isinstance(node, Function) and _parameters(node) > MOST_PARAMETERS
    ]
    assert many == []


def test_no_module_has_a_name_that_says_nothing():
    """What has no subject collects everything: ``utils`` was imported by all and imported all."""
    parts = {part for path in FILES for part in path.relative_to(ROOT).with_suffix("").parts}
    assert parts & BANNED_NAMES == set()


def test_the_word_model_is_no_name():
    """It meant a database row here and a network there (docs/decisions/0008)."""
    assert [where for name, tree in TREES.items() for where in _named_model(name, tree)] == []


@pytest.mark.timeout(600)
def test_the_import_contracts_hold():
    """A web page that imported a worker took TensorFlow along: four seconds and a gigabyte for a sign-in."""
    program = "import sys; from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]


def _lines(node: Function) -> int:
    has_docstring = ast.get_docstring(node) is not None
    first = node.body[1] if has_docstring and len(node.body) > 1 else node.body[0]
    return (node.end_lineno or 0) - first.lineno + 1


def _parameters(node: Function) -> int:
    everything = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
    return len([item for item in everything if item.arg not in {"self", "cls", "session"}])


def _named_model(name: str, tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        given = {
            ast.Name: lambda item: item.id if isinstance(item.ctx, ast.Store) else "",
            ast.arg: lambda item: item.arg,
            ast.FunctionDef: lambda item: item.name,
            ast.ClassDef: lambda item: item.name,
        }.get(type(node), lambda _item: "")(node)
        words = given.lower().split("_")
        # pydantic's own name for its settings.
        if ("model" in words or "models" in words) and given != "model_config":
            yield f"{place(name, node)} {given}"
