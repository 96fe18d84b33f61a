"""Every link of README and docs leads somewhere: to a file of this repository, and to a heading in it."""

import re

import pytest

import stack

PAGES = [path for path in (*stack.ROOT.glob("*.md"), *sorted((stack.ROOT / "docs").glob("*.md"))) if path.name != "LICENSE.md"]


def prose(path):
    return re.sub(r"^```.*?^```", "", path.read_text(), flags=re.M | re.S)


def anchors(path):
    """The headings as GitHub names them."""
    found = set()
    for heading in re.findall(r"^#+ (.+)$", prose(path), re.M):
        text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        found.add(re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-"))
    return found | set(re.findall(r'<a (?:id|name)="([^"]+)"', path.read_text()))


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"!?\[[^]]*\]\(<?([^)>\s]+)>?\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            assert re.match(r"https://[\w.-]+(/|$)|mailto:", target), target
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.exists(), f"{page.name}: {target}"
        if anchor:
            assert anchor in anchors(path), f"{page.name}: {target}: want one of {sorted(anchors(path))}"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_files_that_pages_name_are_there(page):
    for name in re.findall(r"`((?:Tests|Sources|packaging|nginx|apache|Benchmarks|docs)/[\w./+-]+)`", prose(page)):
        assert (stack.ROOT / name).exists() or page.name == "CHANGELOG.md", f"{page.name}: {name}"


def test_readme_is_short():
    lines = (stack.ROOT / "README.md").read_text().splitlines()
    assert len(lines) <= 150
    assert max(map(len, lines)) <= 120
