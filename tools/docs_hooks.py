"""Hooks of MkDocs: pages that are made from the source whenever the site is built.

- ``{{ commands }}`` becomes the command line, from its own argparse parser. - ``{{ api NAME ...
}}`` becomes the docstrings of public names of `monai_ich`, wherever they live. - Notebooks become
pages, without being run. - Documents and records that lie outside of ``docs/`` get a page, and
links to them lead there: written for GitHub, they work in both places.
"""

from __future__ import annotations

import argparse
import json
import posixpath
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # the source beside this file, not an installed one

_LINK = re.compile(r"\]\(([^)#\s:]+)(#[^)\s]*)?\)")


def _mirrored() -> dict[str, str]:
    """Path in the repository to path in the site."""
    found = {
        f"{name}.md": f"{name.lower()}.md" for name in ("CHANGELOG", "CONTRIBUTING", "SECURITY")
    }
    for card in sorted(ROOT.glob("bundles/*/docs/README.md")):
        found[card.relative_to(ROOT).as_posix()] = f"models/{card.parts[-3]}.md"
    for card in sorted(ROOT.glob("data_manifests/*.md")):
        found[card.relative_to(ROOT).as_posix()] = f"data/{card.name}"
    for record in sorted(ROOT.glob("benchmarks/*.json")):
        found[record.relative_to(ROOT).as_posix()] = f"records/{record.name}"
    return found


MIRRORED = _mirrored()


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what lies outside of ``docs/``, and a page for each notebook."""
    for source, uri in MIRRORED.items():
        files.append(File.generated(config, uri, abs_src_path=str(ROOT / source)))
    for file in [f for f in files if f.src_uri.endswith(".ipynb")]:
        files.remove(file)
        page = file.src_uri.replace(".ipynb", ".md")
        files.append(
            File.generated(config, page, content=notebook_markdown(json.loads(file.content_string)))
        )
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill in what is made from the source, and lead links to where a page lies in the site."""
    if "{{ commands }}" in markdown:
        markdown = markdown.replace("{{ commands }}", "\n".join(commands_markdown(command_line())))
    markdown = re.sub(r"\{\{ api ([\w ]+) \}\}", lambda found: _api(found[1].split()), markdown)
    origin = {uri: source for source, uri in MIRRORED.items()}.get(
        page.file.src_uri, f"docs/{page.file.src_uri}"
    )

    def lead(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(origin), link[1]))
        if target not in MIRRORED and (
            origin.startswith("docs/") or not target.startswith("docs/")
        ):
            return link[0]
        uri = MIRRORED.get(target, target.removeprefix("docs/")).replace(".ipynb", ".md")
        here = posixpath.dirname(page.file.src_uri) or "."
        return f"]({posixpath.relpath(uri, here)}{link[2] or ''})"

    return _LINK.sub(lead, markdown).replace(".ipynb)", ".md)")


def notebook_markdown(notebook: dict[str, Any]) -> str:
    """Text as it is, code in fences."""
    parts = []
    for cell in notebook["cells"]:
        text = "".join(cell["source"])
        parts.append(f"```python\n{text}\n```" if cell["cell_type"] == "code" else text)
    return "\n\n".join(parts) + "\n"


class _Seen(Exception):
    """The parser, on its way out of `main`."""


def command_line() -> argparse.ArgumentParser:
    """The parser that ``monai-ich`` asks, caught when it is asked."""
    from monai_ich.cli import main

    def catch(parser: argparse.ArgumentParser, *_: Any) -> None:
        raise _Seen(parser)

    with patch.object(argparse.ArgumentParser, "parse_args", catch):
        try:
            main([])
        except _Seen as seen:
            parser: argparse.ArgumentParser = seen.args[0]
            return parser
    raise RuntimeError("monai_ich.cli.app asks no parser")


def commands_markdown(parser: argparse.ArgumentParser, level: int = 2) -> Iterator[str]:
    """A heading, usage and table for the parser and for each command below it."""
    parser.formatter_class = lambda prog: argparse.HelpFormatter(prog, width=90)
    text = parser.description or ""
    yield from (
        "",
        f"{'#' * min(level, 3)} {parser.prog}",
        "",
        f"{text[:1].upper()}{text[1:].rstrip('.')}.",
        "",
    )
    below = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    yield from ("```", parser.format_usage().removeprefix("usage: ").rstrip(), "```", "")
    rows = [
        (a, a.help)
        for a in parser._actions
        if a not in below and a.dest != "help" and a.help != argparse.SUPPRESS
    ]
    if rows:
        yield from ("| argument | meaning |", "| --- | --- |")
        for action, meaning in rows:
            yield f"| {_written(action)} | {_cell(meaning, action)} |"
    for group in below:
        for sub in group.choices.values():
            yield from commands_markdown(
                sub, level + 1 if level > 2 or parser.prog.count(" ") else 2
            )


def _written(action: argparse.Action) -> str:
    if not action.option_strings:
        return f"`{action.metavar or action.dest}`"
    words = {0: [], None: [action.metavar or (_choices(action) or action.dest.upper())]}.get(
        action.nargs, []
    )
    if isinstance(action.nargs, int) and action.nargs:
        words = [str(action.metavar or action.dest.upper())] * action.nargs
    elif action.nargs in ("+", "*", "..."):
        words = [f"{action.metavar or action.dest.upper()} ..."]
    return f"`{', '.join(action.option_strings)}{''.join(f' {word}' for word in words)}`".replace(
        "|", "\\|"
    )


def _choices(action: argparse.Action) -> str:
    return "|".join(map(str, action.choices)) if action.choices else ""


def _cell(meaning: str | None, action: argparse.Action) -> str:
    text = (meaning or "").replace("%%", "%").replace("|", "\\|").replace("<", "&lt;")
    needed = " (required)" if action.option_strings and action.required else ""
    default = action.default
    told = "default" in text or default in (None, False, [], argparse.SUPPRESS)
    return f"{text}{'' if told else f' (default {default})'}{needed}"


def _api(names: list[str]) -> str:
    import monai_ich

    return "\n\n".join(f"::: monai_ich.{monai_ich._HOME[name]}.{name}" for name in names)
