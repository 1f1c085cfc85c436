"""What the README shows is run as written, in order, in one namespace."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_readme_code_runs_as_written(capsys):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(blocks) >= 4
    namespace = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), namespace)
    assert namespace["X_denoised"].shape == namespace["X_test"].shape
    assert "dae__latent_dim" in namespace["search"].best_params_
    assert "dB" in capsys.readouterr().out


@pytest.mark.parametrize(
    "name", re.findall(r"\]\(([^)h][^)]*)\)", (ROOT / "README.md").read_text())
)
def test_readme_links_lead_somewhere(name):
    assert (ROOT / name).exists()
