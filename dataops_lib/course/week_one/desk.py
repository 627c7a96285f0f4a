"""What a new colleague has at hand: catalog, data, models, runbooks, a private copy."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pandas as pd

from dataops_lib.course.sandbox import Sandbox
from dataops_lib.course.week_one.about_publishing import Practice
from dataops_lib.course.week_one.learner import Place
from dataops_lib.errors import DataError
from dataops_lib.service_levels import budget_policy
from dataops_lib.teams import Team, lineage
from dataops_lib.wap import Publication
from dataops_lib.wording import percent, titled


class Said(str):
    """Markdown for a notebook; elsewhere the same words as text."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)

    def _repr_markdown_(self) -> str:
        return str(self)


class Desk:
    """A team as its new colleague may use it: everything to be read, one copy to be written."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._practice = Practice(place)

    @property
    def team(self) -> Team:
        """The team; whatever is opened through it can be read and not changed."""
        return self._place.team

    @property
    def zone(self) -> ZoneInfo:
        """The zone of the team's clocks."""
        return self._place.zone

    def sql(self, query: str, at: datetime | str | None = None) -> pd.DataFrame:
        """Rows of a SELECT on the published tables, `runs` and `expected`; `at`: as it was then."""
        return self._place.sql(query, at)

    @property
    def tables(self) -> pd.DataFrame:
        """The catalog: what is published, of which tier, by whom."""
        rows = [(t.name, t.tier, t.owner, t.pipeline, t.about) for t in self.team.tables]
        return titled(pd.DataFrame(rows, columns=["table", "tier", "owner", "pipeline", "about"]))

    @property
    def consumers(self) -> pd.DataFrame:
        """Who reads what, and when on their clocks."""
        rows = [
            (c.name, c.table, f"{c.reads_at:%H:%M}", c.days, c.zone or self.team.zone)
            for c in self.team.consumers
        ]
        return titled(pd.DataFrame(rows, columns=["reader", "table", "reads at", "days", "zone"]))

    @property
    def promises(self) -> pd.DataFrame:
        """The SLO and the SLA of each table and service level."""
        rows = [
            (slo.table, slo.sli, str(slo.objective), str(slo.sla) if slo.sla else "")
            for slo in self.team.slos or ()
        ]
        return titled(pd.DataFrame(rows, columns=["table", "service level", "SLO", "SLA"]))

    @property
    def tiles(self) -> dict[str, tuple[float, float]]:
        """Good and total of each tile of page one."""
        return {
            tile.label: (tile.measured.good, tile.measured.total)
            for tile in self._place.tiles
            if tile.measured
        }

    @property
    def page_one(self) -> Said:
        """Where page one of the team's report is, or how to make it."""
        name, day = self.team.name, self.team.as_of
        place = f"{name}/{day.isoformat()}/index.html"
        return Said(
            f"`dataops report {name} --as-of {day} --page-one`, in a terminal, writes "
            f"`reports/{place}`. Open that in a browser."
        )

    @property
    def policy(self) -> pd.DataFrame:
        """What follows from the share of an error budget that is left."""
        rules = budget_policy.load().states
        limits = ["overspent" if s.least is None else f"{percent(s.least)} or more" for s in rules]
        rows = [(s.name, limit, s.action) for s, limit in zip(rules, limits, strict=True)]
        return titled(pd.DataFrame(rows, columns=["state", "budget left", "what the team does"]))

    @property
    def lineage(self) -> dict[str, tuple[str, ...]]:
        """What each model reads."""
        return dict(self.team.lineage)

    def model(self, name: str) -> str:
        """The SELECT of a model."""
        models = lineage.models(self.team.folder / "pipelines")
        if name not in models:
            raise DataError(f"there is no model {name!r}; there are: {', '.join(models) or 'none'}")
        return models[name].read_text(encoding="utf-8")

    @property
    def runbooks(self) -> list[str]:
        """The runbooks of the team."""
        return sorted(path.name for path in (self.team.folder / "runbooks").glob("*.md"))

    def runbook(self, name: str | None = None) -> Said:
        """A runbook of the team; by default the first."""
        if not self.runbooks:
            return Said("The team has no runbook yet: runbooks/*.md")
        chosen = name or self.runbooks[0]
        if chosen not in self.runbooks:
            raise DataError(
                f"there is no runbook {chosen!r}; there are: {', '.join(self.runbooks)}"
            )
        path = self.team.folder / "runbooks" / chosen
        return Said(path.read_text(encoding="utf-8"))

    @property
    def practice(self) -> Sandbox:
        """The learner's private copy of a table, to publish to; it is gone with the kernel."""
        return self._practice.copy

    @property
    def blocked(self) -> Publication:
        """This morning's run of the private copy, which was blocked."""
        return self._practice.blocked
