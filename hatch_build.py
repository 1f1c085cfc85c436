"""What a package index shows: the README without what leads into a copy of the repository."""

import re
from pathlib import Path

from hatchling.metadata.plugin.interface import MetadataHookInterface


def for_an_index(readme):
    """Markdown whose pictures are their alternative texts, and whose relative links are texts.

    There is no public address yet that they could lead to.
    """
    readme = re.sub(r"<picture>.*?</picture>", "# skdae", readme, flags=re.DOTALL)
    readme = re.sub(r"!\[([^]]*)\]\((?!https?:)[^)]*\)", r"*\1*", readme)
    return re.sub(r"\[([^]]*)\]\((?!https?:)[^)]*\)", r"\1", readme)


class ReadmeHook(MetadataHookInterface):
    """Sets the description of the package."""

    def update(self, metadata):
        """Add the README to the metadata."""
        readme = Path(self.root, "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": for_an_index(readme)}
