"""The rules of docs/architecture.md that a machine can check: imports, sizes, pages, and what must not be in the repository."""

from __future__ import annotations

import ast
import gc
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

FILE_LIMITS = {"core": 300, "pages": 120, "app.py": 120, "tests": 400}  # lines
FUNCTION_LIMIT = 50  # lines, decorators and docstring included
LARGER: dict[str, tuple[int, str]] = {
    # path or path:function -> lines, reason
    "core/services/build.py:build_services": (75, "the parts list of a process: one line for each service"),
}

# Rule 1: what a page may never import. Rule 4: what alembic/env.py may import of core.
PAGES_NEVER = ("redis", "asyncpg", "anthropic", "sqlalchemy", "core.runtime", "core.services", "core.loop", "app", "pages")
ENV_MAY = {
    "core.settings": "the URLs",
    "core.database.schema": "the MetaData",
    "core.embedded": "the URL of the embedded server where no other is set",
    "core.database.indexes.notes": "what an index revision says of itself",
    "core.database.indexes.revision": "how an index is built beside running writes",
}
SLEEPS_ALLOWED = {
    "tests/support.py": "wait_until_async is what replaces sleeps",
    "tests/bench/viewer.py": "a browser's timers are what it plays",
}
# Written in two halves, so that this file does not accuse itself.
DEVELOPER_PATHS = re.compile(r"(?<![\w.])/" + r"(home|root|Users)/\w")

pytestmark = pytest.mark.xdist_group("architecture")  # One worker reads the files.


def python_files(*folders: str) -> list[Path]:
    """Every Python file of these folders (or files) that exists."""
    found: list[Path] = []
    for folder in folders:
        path = ROOT / folder
        found += [path] if path.is_file() else sorted(path.rglob("*.py"))
    return found


def name(path: Path) -> str:
    """The path as seen from the repository."""
    return path.relative_to(ROOT).as_posix()


def parsed(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Those nodes of a file's tree that a rule is about."""
    kinds = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.Call)
    return tuple(node for node in ast.walk(parsed(path)) if isinstance(node, kinds))


@pytest.fixture(scope="module", autouse=True)
def trees() -> Iterator[None]:
    """The trees of all files live for these tests only; they have no cycles, and each collection would walk them all."""
    gc.disable()
    yield
    nodes.cache_clear()
    gc.enable()


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it: `from a import b` gives both a and a.b."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_one_of(function: ast.expr, names: tuple[str, ...]) -> bool:
    """Whether these names have what is called."""
    last = getattr(function, "attr", getattr(function, "id", ""))  # Asked first: writing out every expression takes long.
    return any(name.rpartition(".")[2] == last for name in names) and ast.unparse(function) in names


def imports_any(path: Path, modules: tuple[str, ...]) -> list[str]:
    """Those of a file's imports that are one of these modules or lie inside of one."""
    return sorted({used for used in imports(path) if any(used == m or used.startswith(m + ".") for m in modules)})


@cache
def tracked_files() -> tuple[Path, ...]:
    """The files that git knows or would add; outside of a git checkout, every file that is not hidden."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, check=False
    )
    if listed.returncode == 0:
        paths = [ROOT / path for path in listed.stdout.decode().split("\0") if path]
    else:
        paths = [path for path in ROOT.rglob("*") if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)]
    return tuple(path for path in paths if path.is_file())


def test_files_keep_their_size():
    """No file is longer than the limit of its folder; an exception is listed with its reason."""
    too_long = []
    for folder, limit in FILE_LIMITS.items():
        for path in python_files(folder):
            lines = len(path.read_text(encoding="utf-8").splitlines())
            allowed = LARGER.get(name(path), (limit, ""))[0]
            if lines > allowed:
                too_long.append(f"{name(path)}: {lines} lines, limit {allowed}")
    assert not too_long, "\n".join(too_long)


def test_functions_keep_their_size():
    """No function is longer than 50 lines."""
    too_long = []
    for path in python_files("core", "pages", "app.py", "alembic/env.py", "tests", ".ci"):
        for node in nodes(path):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
                lines = (node.end_lineno or first) - first + 1
                key = f"{name(path)}:{node.name}"
                if lines > LARGER.get(key, (FUNCTION_LIMIT, ""))[0]:
                    too_long.append(f"{key}: {lines} lines")
    assert not too_long, "\n".join(too_long)


def test_exceptions_are_still_needed():
    """Each listed exception names something that exists and gives a reason."""
    for key, (_, reason) in LARGER.items():
        assert (ROOT / key.partition(":")[0]).is_file(), f"{key} is gone: take it off the list"
        assert reason, f"{key} has no reason"


def test_import_contracts_hold():
    """The layers of core and the ban on Streamlit below core.ui, as import-linter sees them."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_every_module_of_core_has_a_layer():
    """A module that is in no layer would escape the import rules."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["id"] == "layers")
    placed = {module.strip("() ") for layer in layers for module in re.split(r"[|:]", layer)}
    modules = {path.stem for path in (ROOT / "core").iterdir() if path.suffix == ".py"} | {
        path.name for path in (ROOT / "core").iterdir() if path.is_dir() and any(path.glob("*.py"))
    }
    assert not modules - placed - {"__init__"}, f"give these a layer in pyproject.toml: {modules - placed - {'__init__'}}"


def test_only_core_ui_imports_streamlit():
    """The same ban read from the source, where an import inside a function counts too."""
    found = [name(path) for path in python_files("core") if imports_any(path, ("streamlit",))]
    assert [path for path in found if not path.startswith("core/ui")] == []


@pytest.mark.parametrize("page", python_files("pages"), ids=name)
def test_page_starts_with_its_question_and_its_guard(page):
    """A page is a docstring, imports, then ui.guard(...): a deep link reaches nothing before the guard."""
    assert ast.get_docstring(parsed(page)), "no docstring"
    statements = [node for node in parsed(page).body[1:] if not isinstance(node, ast.Import | ast.ImportFrom)]
    assert statements, "no ui.guard(...)"
    assert ast.unparse(statements[0]).startswith("ui.guard("), f"ui.guard(...) comes first, not: {ast.unparse(statements[0])}"


@pytest.mark.parametrize("page", python_files("pages"), ids=name)
def test_page_imports_no_driver(page):
    """A page sees core.ui and types, never a driver, the loop or the services."""
    assert imports_any(page, PAGES_NEVER) == []


def test_nobody_imports_pages_or_app():
    """Pages and app.py stand on top; tests alone may look at them."""
    files = python_files("core", "pages", "app.py", "alembic")
    assert {name(path): found for path in files if (found := imports_any(path, ("pages", "app")))} == {}


def test_alembic_env_imports_little():
    """Migrations depend on the settings and the schema, so that they outlive the rest."""
    env = ROOT / "alembic" / "env.py"
    used = {module for path in python_files("alembic") for module in imports(path) if module.startswith("core.")}
    reached = {module for module in used if not any(module == m or module.startswith(m + ".") for m in ENV_MAY)}
    assert not reached - {m.rpartition(".")[0] for m in ENV_MAY}, f"{name(env)} or a revision imports {reached}"


def test_alembic_folder_is_no_package():
    """An __init__.py there would hide the installed alembic."""
    assert not list((ROOT / "alembic").rglob("__init__.py"))


def test_imported_packages_are_declared():
    """Whatever core, pages, app and alembic import is pinned by name in requirements.txt."""
    declared = re.findall(r"^([A-Za-z][\w.-]*)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    known = {re.sub(r"[-_.]+", "-", project).lower() for project in declared}
    distributions = packages_distributions()
    missing = set()
    for path in python_files("core", "pages", "app.py", "alembic/env.py"):
        for top in {module.partition(".")[0] for module in imports(path)} - set(sys.stdlib_module_names):
            projects = {re.sub(r"[-_.]+", "-", project).lower() for project in distributions.get(top, [top])}
            if top not in ("core", "pages", "app") and not projects & known:
                missing.add(f"{name(path)} imports {top}")
    assert not missing, "\n".join(sorted(missing))


def test_stats_return_no_dict():
    """stats() returns a frozen dataclass."""
    found = []
    for path in python_files("core"):
        for node in nodes(path):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == "stats":
                returns = ast.unparse(node.returns) if node.returns else "nothing declared"
                if re.search(r"\b(dict|Dict|Mapping|MutableMapping|Any|object)\b|nothing", returns):
                    found.append(f"{name(path)}:{node.lineno} returns {returns}")
    assert not found, "\n".join(found)


def test_tests_do_not_sleep():
    """A test waits until something is so; a sleep is either too long or too short. asyncio.sleep(0) is no sleep."""
    sleeps = ("time.sleep", "asyncio.sleep", "anyio.sleep", "sleep")
    found = []
    for path in python_files("tests"):
        calls = [node for node in nodes(path) if isinstance(node, ast.Call) and is_one_of(node.func, sleeps)]
        waits = [node for node in calls if [ast.unparse(argument) for argument in node.args] != ["0"]]
        found += [f"{name(path)}:{node.lineno}" for node in waits if name(path) not in SLEEPS_ALLOWED]
    assert not found, "use tests.support.wait_until: " + ", ".join(found)


def test_no_path_of_a_developers_machine():
    """No tracked text names somebody's home."""
    found = []
    for path in tracked_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{name(path)}: {match.group()}" for match in DEVELOPER_PATHS.finditer(text)]
    assert not found, "\n".join(found)


def test_paths_of_the_readme_exist():
    """The README's map shows what is there: each path in a code block's first column or in backticks exists."""
    readme = ROOT / "README.md"
    if not readme.is_file():
        pytest.skip("there is no README.md yet")
    text = readme.read_text(encoding="utf-8")
    pattern = r"[\w.-]+(?:/[\w.-]+)*/?"
    named = re.findall(rf"`((?:core|pages|tests|docs|data|deploy|alembic|\.ci|\.streamlit)/{pattern[:-2]}/?)`", text)
    for block in re.findall(r"^```(?:text)?\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        named += re.findall(rf"^({pattern})\s{{2,}}\S", block, re.MULTILINE)
    missing = sorted({path for path in named if not (ROOT / path).exists()})
    assert not missing, f"the README names what is not there: {missing}"
