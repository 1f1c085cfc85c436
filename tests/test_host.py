"""What a host of the repository reads: workflows, issue forms, and how to cite."""

import re
from pathlib import Path

import pytest

import skdae

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("[!c]*.yml"))


def read(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def commands(workflow):
    """All that a workflow runs."""
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    return [step["run"] for step in steps if "run" in step]


def targets(text):
    return set(re.findall(r"\bmake (?:--no-print-directory )?([a-z][\w-]*)", text))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_has_what_the_host_asks_for(path):
    workflow = read(path)
    # YAML reads the key "on" as true.
    assert workflow["name"] == path.stem
    assert workflow[True]
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 90
        assert all(("uses" in step) != ("run" in step) for step in job["steps"])
        assert all(re.fullmatch(r"actions/[\w-]+@v\d+", s["uses"]) for s in job["steps"][:1])
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in targets("\n".join(commands(workflow))):
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_the_workflow_of_tests_runs_what_ci_runs():
    workflow = read(ROOT / ".github" / "workflows" / "tests.yml")
    run = targets("\n".join(commands(workflow)))
    run |= set(workflow["jobs"]["test"]["strategy"]["matrix"]["target"])
    assert targets((ROOT / ".ci" / "run").read_text(encoding="utf-8")) <= run


def test_workflows_try_the_oldest_python_that_is_supported():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    oldest = re.search(r'requires-python = ">=([\d.]+)"', text)[1]
    for name, job in (("tests", "test"), ("wheels", "use")):
        workflow = read(ROOT / ".github" / "workflows" / f"{name}.yml")
        assert workflow["jobs"][job]["strategy"]["matrix"]["python"][0] == oldest


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_an_issue_form_asks_questions_with_names_of_their_own(path):
    form = read(path)
    assert form["name"]
    assert form["description"]
    questions = [part for part in form["body"] if part["type"] != "markdown"]
    names = [part["id"] for part in questions]
    assert len(names) == len(set(names)) >= 3
    assert all(part["attributes"]["label"] for part in questions)
    assert any(part.get("validations", {}).get("required") for part in questions)


def test_the_version_to_cite_is_the_version():
    """What is not released has no date, and what has no address names none."""
    citation = read(ROOT / "CITATION.cff")
    assert str(citation["version"]) == skdae.__version__
    changes = (ROOT / "CHANGES.md").read_text(encoding="utf-8")
    date = re.search(rf"^## {re.escape(skdae.__version__)} \((.*)\)$", changes, re.M)[1]
    released = {} if date == "unreleased" else {"date-released": date}
    assert {k: str(v) for k, v in citation.items() if k == "date-released"} == released
    # The keys that version 1.2.0 of the format asks for.
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    page = (ROOT / "docs" / "cite.rst").read_text(encoding="utf-8")
    assert f"version = {{{skdae.__version__}}}" in page
    assert citation["title"] in page
    assert ("not released yet" in page) == (date == "unreleased")
    (year,) = re.findall(r"Copyright \(c\) (\d{4})", (ROOT / "LICENSE").read_text(encoding="utf-8"))
    assert f"year    = {{{year}}}" in page
