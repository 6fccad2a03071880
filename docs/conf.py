"""How the documentation is built: ``sphinx-build -W docs build/docs``."""

import noria

project = "Noria"
author = "the Noria developers"
version = release = noria.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
html_theme = "furo"
html_title = "Noria"
exclude_patterns: list[str] = []
myst_heading_anchors = 3
napoleon_google_docstring = False
autodoc_member_order = "groupwise"
autodoc_typehints = "description"
autodoc_typehints_format = "short"
suppress_warnings = ["myst.xref_missing", "docutils"]
