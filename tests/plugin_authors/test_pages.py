"""The pages for plugin authors, the hooks and the code are held to each other; what the pages show is run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest

from layerwise import plugin, testing
from layerwise.cli.scaffold.parts import PARTS
from layerwise.core.host import hookspecs, kinds
from layerwise.core.host.registry import Registry
from layerwise.plugins import KINDS

DOCS = Path(__file__).parents[2] / "docs"
HOOKS = [name for name in vars(hookspecs) if name.startswith("register_")]
PAGES = sorted(path.stem for path in (DOCS / "plugins" / "hooks").glob("*.md"))
HEADINGS = ["When it is called", "What to return", "An example", "Testing it", "Common mistakes"]


def page_of(kind: str) -> Path:
    return DOCS / "plugins" / "hooks" / f"{kind}.md"


def test_every_hook_has_a_page_and_every_page_a_hook():
    assert [f"register_{page}" for page in PAGES] == sorted(HOOKS)
    assert sorted(KINDS) == PAGES


@pytest.mark.parametrize("kind", PAGES)
def test_a_hook_s_page_has_its_name_and_all_headings(kind):
    text = page_of(kind).read_text(encoding="utf-8")
    assert text.startswith(f"# register_{kind}\n")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == HEADINGS
    assert f"<!-- signatures: {'Statistic' if kind == 'statistics' else KINDS[kind].__name__}" in text
    part = next(part for part in PARTS if part.kind == kind)
    assert part.check in text


@pytest.mark.parametrize("kind", PAGES)
def test_a_hook_s_page_explains_every_attribute_and_method_and_no_other(kind):
    page = page_of(kind).read_text(encoding="utf-8")
    signatures = "".join(re.findall(r"<!-- signatures: .*? -->(.*?)<!-- end -->", page, re.DOTALL))
    prose = re.sub(r"```.*?```", "", page, flags=re.DOTALL)
    explained = {word for code in re.findall(r"`([^`\n]+)`", prose) for word in re.findall(r"\w+", code)}
    offered = [found for found in vars(kinds).values() if isinstance(found, type) and issubclass(found, KINDS[kind])]
    for owner in offered:
        members = {name for name in (*owner.__annotations__, *vars(owner)) if name[0] != "_"}
        assert members - explained == set(), f"{owner.__name__}: not explained below the signatures"
    listed = set(re.findall(r"^- `(\w+)`", prose, re.MULTILINE))
    assert listed - set(re.findall(r"\w+", signatures)) == set(), "explained, and not in any signature"


@pytest.mark.parametrize("kind", PAGES)
def test_the_example_on_a_hook_s_page_is_a_plugin_and_passes_the_tests_beside_it(kind, read_blocks):
    blocks = [block for block in read_blocks(page_of(kind)) if block.language == "python"]
    assert [block.heading for block in blocks] == ["An example", "Testing it"]
    module = types.ModuleType(f"example_of_{kind}")
    sys.modules[module.__name__] = module
    try:
        for block in blocks:
            exec(compile(block.text, f"{kind}.md", "exec", dont_inherit=True), vars(module))
        registry = Registry()
        registry.register(module, "example", "example", "1.0")
        offers = registry.all(KINDS[kind])
        assert offers, registry.plugins
        tests = [value for name, value in vars(module).items() if name.startswith("test_")]
        assert tests
        for test in tests:
            test()
    finally:
        del sys.modules[module.__name__]


def test_the_overview_lists_every_hook_with_the_command_that_uses_it():
    text = (DOCS / "plugins" / "index.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| \[(register_\w+)\]\(hooks/\w+\.md\)", text, re.MULTILINE) == HOOKS


def test_the_page_on_testing_has_every_check_and_every_fixture():
    from layerwise.testing import fixtures

    text = (DOCS / "plugins" / "testing.md").read_text(encoding="utf-8")
    for name in testing.__all__:
        if name.startswith("check_"):
            assert f"\n| `{name}` |" in text, name
    given = [name for name, value in vars(fixtures).items() if "Fixture" in type(value).__name__ and name[0] != "_"]
    listed = re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (`[a-z_`, ]+`) \|", text, re.MULTILINE)))
    assert sorted(name for name in listed if not name.startswith("check_")) == sorted(given)


def test_the_page_on_representations_explains_all_of_them_and_its_example_runs(read_blocks):
    page = DOCS / "plugins" / "representation.md"
    prose = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    explained = {word for code in re.findall(r"`([^`\n]+)`", prose) for word in re.findall(r"\w+", code)}
    for owner in (plugin.Representation, plugin.Resolution):
        members = {name for name in (*owner.__annotations__, *vars(owner)) if name[0] != "_"}
        assert members - explained == set(), owner.__name__
    (example,) = [block for block in read_blocks(page) if block.language == "python"]
    exec(compile(example.text, page.name, "exec", dont_inherit=True), {})


def test_the_blocks_of_the_page_on_testing_run(read_blocks, tmp_path):
    blocks = [block for block in read_blocks(DOCS / "plugins" / "testing.md") if block.language == "python"]
    for index, block in enumerate(blocks):
        (tmp_path / (block.file or f"test_block_{index}.py")).write_text(block.text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_links_between_the_pages_lead_somewhere():
    for path in (DOCS / "plugins").rglob("*.md"):
        text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)#\s]*)(?:#[\w-]*)?\)", text):
            if target and "://" not in target:
                assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_the_tutorial_can_be_followed(follow, pretend_installed, tmp_path):
    """All of it but pip: what installing does is done by hand, in a folder that Python looks into."""
    binaries = Path(sys.executable).parent
    environment = os.environ | {
        "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join([str(tmp_path / "shared-variance" / "src"), os.environ.get("PYTHONPATH", "")]),
        "LAYERWISE_DB": testing.make_history(tmp_path / "history.db"),
    }

    def install(command: str) -> str:
        if not command.startswith("layerwise plugins install"):
            return ""
        pretend_installed(tmp_path / command.rsplit("/", 1)[-1])
        return "installed"

    follow(DOCS / "plugins" / "tutorial.md", tmp_path, environment, install)
