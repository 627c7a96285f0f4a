"""Random valid teams, written as the folders that data/README.md describes."""

from __future__ import annotations

import csv
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import yaml
from oracle import plain_cron

# Zones and a day near which their clocks change, or that a calendar may trip over.
ZONES = {
    "UTC": date(2024, 3, 1),
    "Europe/Berlin": date(2025, 3, 31),
    "Europe/London": date(2024, 10, 28),
    "America/New_York": date(2024, 3, 11),
    "America/Sao_Paulo": date(2018, 11, 6),
    "America/Santiago": date(2025, 9, 9),
    "America/St_Johns": date(2024, 11, 5),
    "Australia/Lord_Howe": date(2024, 4, 8),
    "Australia/Sydney": date(2024, 10, 7),
    "Asia/Kolkata": date(2024, 3, 1),
    "Asia/Kathmandu": date(2025, 1, 1),
    "Africa/Cairo": date(2024, 4, 27),
    "Pacific/Apia": date(2012, 1, 2),
    "Pacific/Auckland": date(2024, 4, 9),
}
SCHEDULES = (
    "0 6 * * *",
    "30 2 * * *",
    "0 0 * * *",
    "0 * * * *",
    "0 */6 * * *",
    "*/30 8-17 * * *",
    "15 6 * * 1-5",
    "0 3 * * 0",
    "0 7 1 * *",
    "0 8,20 * * *",
    "45 23 * * *",
    "0 9 1,15 * 1",
    "30 1 * * 7",
    "0 12 29 2 *",
    "15 */4 * * 2-4",
)
PERIODS = (
    *("7-day rolling", "30-day rolling", "30-day rolling", "90-day rolling"),
    *("calendar week", "calendar month", "calendar quarter", "calendar year"),
)
OPTIONAL = ("started_at", "finished_at", "published_at", "trigger", "rows")


@dataclass
class TablePlan:
    """One table and its pipeline: what is due, what is promised, what its runs did."""

    name: str
    tier: int
    zone: str
    schedule: str
    first_due: date
    holidays: list[date]
    promises: dict
    rows: list[dict] = field(default_factory=list)


@dataclass
class TeamPlan:
    """A team as it was drawn; `columns` are those that its runs.csv has."""

    seed: int
    zone: str
    as_of: date
    tables: list[TablePlan]
    columns: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"team-{self.seed}"


def draw(seed: int) -> TeamPlan:
    """The team of `seed`; the same seed gives the same team."""
    dice = random.Random(seed)
    zone = dice.choice(list(ZONES))
    edges = (ZONES[zone], date(2024, 3, 1), date(2025, 1, 1), date(2024, 3, 4))
    as_of = dice.choice(edges) + timedelta(days=dice.randrange(12))
    tables = [_table(dice, number, zone, as_of) for number in range(dice.choice((1, 1, 2, 3)))]
    absent = {name for name in OPTIONAL if dice.random() < 0.15}
    required = ("run_id", "pipeline", "table", "due_at", "status")
    columns = (*required, *(name for name in OPTIONAL if name not in absent))
    return TeamPlan(seed, zone, as_of, tables, columns)


def _table(dice: random.Random, number: int, zone: str, as_of: date) -> TablePlan:
    first = as_of - timedelta(days=dice.choice((1, 5, 12, 31, 45, 60, 100)))
    own_zone = dice.choice(list(ZONES)) if dice.random() < 0.25 else zone
    holidays = [first + timedelta(days=dice.randrange(60)) for _ in range(dice.choice((0, 0, 2)))]
    schedule, promises = dice.choice(SCHEDULES), _promises(dice)
    if "pipeline_success_rate" in promises and dice.random() < 0.1:
        promises |= {"schedule": dice.choice(SCHEDULES), "zone": zone}
        holidays = []
    plan = TablePlan(
        f"t{number}", dice.choice((1, 1, 2)), own_zone, schedule, first, holidays, promises
    )
    until = plain_cron.midnight(as_of + timedelta(days=1), zone)
    health = dice.choice((0.5, 0.9, 0.97, 0.97, 1.0))
    dead_from = until - timedelta(days=dice.randrange(1, 40)) if dice.random() < 0.1 else until
    for due in plain_cron.due(
        promises.get("schedule", schedule),
        promises.get("zone", own_zone),
        plain_cron.midnight(first, own_zone),
        until,
        holidays=holidays,
    ):
        if due < dead_from:
            plan.rows += _attempts(dice, plan.name, due, health)
    dice.shuffle(plan.rows)
    return plan


def _promises(dice: random.Random) -> dict:
    promises: dict = {}
    if dice.random() < 0.8:
        limit = dice.choice((("30 minutes", "90 minutes"), ("2 hours", "4 hours"), ("1 day",) * 2))
        share, looser = dice.choice((("99%", "98%"), ("95%", "90%"), ("99.5%", "99%")))
        period = dice.choice(PERIODS)
        if dice.random() < 0.25:
            promises["freshness"] = {"slo": f"< {limit[0]} ({period})"}
            if limit[0] != limit[1] and dice.random() < 0.6:
                promises["freshness"]["sla"] = f"< {limit[1]} ({period})"
            if dice.random() < 0.3:
                promises["error_budget_monthly"] = "1% = 7.2 hours/month"
        else:
            promises["freshness"] = {"slo": f"< {limit[0]} for {share} ({period})"}
            if dice.random() < 0.6:
                promises["freshness"]["sla"] = f"< {limit[1]} for {looser} ({period})"
    if dice.random() < 0.7:
        share, looser = dice.choice((("99%", "95%"), ("95%", "90%"), ("80%", "70%")))
        period = dice.choice(PERIODS)
        promises["pipeline_success_rate"] = {"slo": f"> {share} ({period})"}
        if dice.random() < 0.6:
            promises["pipeline_success_rate"]["sla"] = f"> {looser} ({period})"
    return promises


def _attempts(dice: random.Random, table: str, due: datetime, health: float) -> list[dict]:
    """The rows of one expected run: none, one, or several attempts."""
    if dice.random() < health:
        kind = dice.choice(("good",) * 9 + ("slow",))
    else:
        kind = dice.choice(("failed", "blocked", "missing", "late", "open", "twice", "repaired"))
    start = due + timedelta(minutes=dice.choice((0, 0, 1, 3)))

    def row(status: str, begun: datetime, minutes: int, trigger: str = "scheduled") -> dict:
        end = begun + timedelta(minutes=minutes)
        return {
            "run_id": f"{table}-{due:%Y%m%d%H%M}-{dice.randrange(10**6)}",
            "pipeline": f"p_{table}",
            "table": table,
            "due_at": due,
            "status": status,
            "started_at": begun,
            "finished_at": None if status == "running" else end + timedelta(minutes=2),
            "published_at": end if status == "published" else None,
            "trigger": trigger,
            "rows": dice.randrange(1000),
        }

    wait = timedelta(minutes=dice.choice((20, 60, 200, 800)))
    return {
        "good": lambda: [row("published", start, 5)],
        "slow": lambda: [row("published", start, 29)],
        "late": lambda: [row("published", start + wait, 5)],
        "failed": lambda: [row(dice.choice(("failed", "skipped")), start, 5)],
        "blocked": lambda: [row("blocked", start, 5)],
        "missing": list,
        "open": lambda: [row("running", start, 0)],
        "twice": lambda: [row("published", start, 5), row("failed", start, 7)],
        "repaired": lambda: [
            row(dice.choice(("failed", "blocked")), start, 5),
            row("published", start + wait, 10, "rerun"),
        ],
    }[kind]()


def write(plan: TeamPlan, root: Path) -> Path:
    """The folder of a team: team.yaml, slos.yaml if something is promised, runs.csv."""
    folder = root / plan.name
    folder.mkdir(parents=True)
    pipelines, tables, promised = [], [], []
    for table in plan.tables:
        pipeline = {
            "name": f"p_{table.name}",
            "schedule": table.schedule,
            "first_due": table.first_due,
        }
        pipeline |= {"zone": table.zone} if table.zone != plan.zone else {}
        pipeline |= {"holidays": sorted(set(table.holidays))} if table.holidays else {}
        pipelines.append(pipeline)
        facts = {"name": table.name, "pipeline": pipeline["name"], "tier": table.tier}
        tables.append(facts | {"owner": "Ana", "day_column": "day", "about": "One row."})
        if table.promises:
            promised.append({"name": table.name} | table.promises)
    team = {"name": plan.name, "title": "Random", "zone": plan.zone}
    _dump(team | {"pipelines": pipelines, "tables": tables}, folder / "team.yaml")
    if promised:
        _dump({"slos": promised}, folder / "slos.yaml")
    with (folder / "runs.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, plan.columns, extrasaction="ignore")
        writer.writeheader()
        for table in plan.tables:
            for row in table.rows:
                writer.writerow({name: _cell(value, plan.zone) for name, value in row.items()})
    return folder


def _dump(values: dict, path: Path) -> None:
    path.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")


def _cell(value: object, zone: str) -> object:
    """Times in UTC or, every other hour, with the offset of the zone."""
    if not isinstance(value, datetime):
        return "" if value is None else value
    shown = value.astimezone(ZoneInfo(zone) if value.hour % 2 else UTC)
    return shown.isoformat()


def described(folder: Path, files: Sequence[str] = ("team.yaml", "slos.yaml")) -> str:
    """What a folder holds, for the message of a test that fails."""
    texts = [
        f"{name}:\n{(folder / name).read_text(encoding='utf-8')}"
        for name in files
        if (folder / name).is_file()
    ]
    runs = (folder / "runs.csv").read_text(encoding="utf-8").splitlines()
    return "\n".join([*texts, f"runs.csv ({len(runs) - 1} rows), the last 12:", *runs[-12:]])
