"""One notebook executed by papermill, and turned into a page."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from dataops_lib import files
from dataops_lib.errors import UsageError
from dataops_lib.report import page

NOTEBOOKS = files.HOME / "notebooks"
LINK = re.compile(r'href="(\w+)\.ipynb"')
SECTION = re.compile(r' <a class="do-section" href="(\w+)\.ipynb">.*?</a>')
KERNEL = "python3"
QUIET = ["--IPKernelApp.log_level=40"]  # kernels report errors only, no note on encryption
CELL_SECONDS = 300


class _CellError(Exception):
    """A notebook that raised: which cell, and what."""

    def __init__(self, notebook: str, cell: str, message: str) -> None:
        self.notebook, self.cell, self.message = notebook, cell, message
        super().__init__(f"notebook {notebook} failed: {message}")


def execute(notebook: str, parameters: Mapping[str, Any], output: Path) -> Any:
    """Execute one of our notebooks by papermill and return it.

    Raises
    ------
    UsageError
        If there is no such notebook, or it has no such parameter (papermill would only warn).
    """
    import papermill
    from jupyter_client.kernelspec import NoSuchKernel

    path = NOTEBOOKS / f"{notebook}.ipynb"
    if not path.is_file():
        raise UsageError(f"there is no notebook {notebook!r} in {NOTEBOOKS}")
    known = papermill.inspect_notebook(str(path))
    if unknown := sorted(set(parameters) - set(known)):
        raise UsageError(
            f"{notebook} has no parameter {', '.join(unknown)}; it has {', '.join(known)}"
        )
    try:
        return papermill.execute_notebook(
            str(path),
            str(output),
            parameters=dict(parameters),
            kernel_name=KERNEL,
            progress_bar=False,
            execution_timeout=CELL_SECONDS,
            extra_arguments=QUIET,
            cwd=str(output.parent),
        )
    except papermill.PapermillExecutionError as error:
        message = f"{error.ename}: {error.evalue}"
        raise _CellError(notebook, error.source or "", message) from error
    except NoSuchKernel as error:
        message = f"there is no Jupyter kernel {KERNEL!r}; run `make` again, or install ipykernel"
        raise _CellError(notebook, "", message) from error
    except (TimeoutError, RuntimeError) as error:
        raise _CellError(notebook, "", f"{type(error).__name__}: {error}") from error


def html(
    notebook: Any,
    *,
    title: str,
    footer: str = "",
    heading: str = "",
    back: str = "",
    links: Sequence[Mapping[str, Any]] = (),
    pages: Collection[str] = (),
    code: bool = False,
) -> str:
    """An executed notebook as one HTML page: no scripts, nothing loaded from elsewhere.

    `links` are sections with href, title and failed; `back` is where page one stands. A link to
    one of the notebooks in `pages` becomes a link to its page, one to another is plain text, and
    left out where it only says what that page is.
    """
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(
        template_name="report",
        extra_template_basedirs=[str(page.TEMPLATES)],
        exclude_input=not code,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    values = {"title": title, "footer": footer, "heading": heading, "back": back, "links": links}
    resources = {"report": values | {"css": page.css("style.css")}}
    text, _ = exporter.from_notebook_node(notebook, resources=resources)
    text = SECTION.sub(lambda link: link[0] if link[1] in pages else "", str(text))
    return LINK.sub(lambda link: f'href="{link[1]}.html"' if link[1] in pages else "", text)
