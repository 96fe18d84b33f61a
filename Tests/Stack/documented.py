"""The configuration examples of README and docs."""

import functools
import re
from typing import NamedTuple

import stack


class Example(NamedTuple):
    page: str
    text: str


@functools.cache
def examples(language):
    """The fenced blocks of a language, in the order of the pages."""
    found = []
    for path in (stack.ROOT / "README.md", *sorted((stack.ROOT / "docs").glob("*.md"))):
        for text in re.findall(rf"^```{language}\n(.*?)^```", path.read_text(), re.M | re.S):
            found.append(Example(str(path.relative_to(stack.ROOT)), text))
    return found


def example(language, mark=""):
    """The one example that has `mark` in it."""
    [found] = [found for found in examples(language) if mark in found.text]
    return found.text


def apache_authorizer(responder):
    """The example of mod_authnz_fcgi, which asks at `responder`: (for the server, for a <VirtualHost>)."""
    text = stack.Nginx.replaced(example("apache", "AuthnzFcgi"), "127.0.0.1:7777", responder)
    return re.fullmatch(r"(?s)(.*?AuthnzFcgiDefineProvider.*?\n)(.*)", text).groups()
