"""What the site does with pages that are also read in the repository: README.md is its first page and CHANGELOG.md its
last one, and a link to a file that is no page of the site becomes the name of that file."""

import re
from pathlib import Path, PurePosixPath
from posixpath import normpath
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
TOP = {"index.md": "README.md", "changelog.md": "CHANGELOG.md"}
"""Pages of the site that lie at the top of the repository."""


def on_files(files: Any, config: Any) -> Any:
    """Add the pages from the top of the repository."""
    for page, source in TOP.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(text: str, page: Any, config: Any, files: Any) -> str:
    """Links go to pages of the site; what is elsewhere in the repository is named."""
    folder = "" if page.file.src_uri in TOP else "docs"
    pages = {f"docs/{file.src_uri}": file.src_uri for file in files} | {source: uri for uri, source in TOP.items()}

    def link(found: re.Match[str]) -> str:
        target, _, anchor = found[2].partition("#")
        path = normpath(str(PurePosixPath(folder) / target))
        if path in pages:
            return f"[{found[1]}]({pages[path]}{anchor and '#' + anchor})"
        name = found[1].strip("`")
        return f"`{name}`" if name in path else f"{found[1]} (`{path}`)"

    # A fence is left as it is: a program may have brackets and parentheses too.
    parts = re.split(r"(^```.*?^```$)", text, flags=re.M | re.S)
    parts[::2] = [re.sub(r"\[([^\]]+)\]\((?!\w+:|#)([^)\s]+)\)", link, part) for part in parts[::2]]
    return "".join(parts)
