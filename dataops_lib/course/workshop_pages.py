"""The pages of a workshop: the form on a screen and on paper, the door, the QR code."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import segno
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from dataops_lib.course import workshop
from dataops_lib.maturity.model import Model

WORDS = {
    "none": "No.",
    "some": "A few.",
    "half": "Half.",
    "most": "Most.",
    "unsure": "Unsure.",
    "na": "Not for us.",
}

_PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
)


def page(template: str, **values: Any) -> str:
    """One page; every value is escaped."""
    return _PAGES.get_template(template).render(**values)


def form(
    model: Model,
    title: str,
    values: Mapping[str, str],
    *,
    action: str = "",
    nonce: str = "",
    status: str = "",
    refusals: tuple[str, ...] = (),
    paper: bool = False,
) -> str:
    """The thirty questions and the pains, with one person's `values` in them."""
    return page(
        "workshop_form.html.j2", model=model, title=title, values=values, action=action,
        nonce=nonce, status=status, refusals=refusals, paper=paper, words=WORDS,
        pains=workshop.PAINS, longest=workshop.LONGEST_NOTE,
    )  # fmt: skip


def paper(model: Model, title: str) -> str:
    """The form to print: the same questions, criteria and answers."""
    return form(model, title, {}, paper=True)


def empty_csv(model: Model) -> str:
    """The first line of the file into which sheets of paper are typed."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(workshop.fields(model))
    return text.getvalue()


def qr_svg(link: str) -> Markup:
    """A link as a picture that a phone reads."""
    return Markup(segno.make(link, micro=False).svg_inline(scale=5))  # noqa: S704  drawn by segno
