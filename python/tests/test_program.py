"""The program is found, and the package runs on the oldest Python that it says."""

import ast
import pathlib
import subprocess
import sys

import pytest

import dbload

PACKAGE = pathlib.Path(dbload.__file__).parent


def test_python_m_dbload_is_the_program():
    said = subprocess.run([sys.executable, "-m", "dbload", "--version"], capture_output=True, text=True)
    assert said.returncode == 0 and said.stdout.startswith("dbload "), said


def test_a_program_that_is_named_and_not_there_is_an_error(monkeypatch):
    monkeypatch.setenv("DBLOAD_BINARY", "/nowhere/dbload")
    with pytest.raises(FileNotFoundError, match="/nowhere/dbload"):
        dbload.find_program()


def test_the_syntax_is_that_of_python_3_10():
    files = sorted(PACKAGE.rglob("*.py"))
    assert len(files) > 2
    for file in files:
        ast.parse(file.read_text(), str(file), feature_version=(3, 10))
    with pytest.raises(SyntaxError):
        ast.parse("type X = int", feature_version=(3, 10))
