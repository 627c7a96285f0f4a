"""A team folder becomes a frozen value, or a list of everything that is wrong with it."""

import hashlib
import logging
import os
import re
import traceback
from datetime import UTC, date, datetime, timedelta

import pytest

from dataops_lib import files as files_
from dataops_lib import teams
from dataops_lib.errors import DataError, TeamError, UsageError
from dataops_lib.teams import folders, variables
from dataops_lib.teams import team as teams_team

SECRET = "hunter2-correct-horse"
TEAM = """\
name: shop
title: Shop
zone: Europe/Berlin
people:
  - {name: Ana, role: engineer}
pipelines:
  - {name: daily, schedule: "0 6 * * *", first_due: 2026-01-01}
tables:
  - {name: fct_a, pipeline: daily, tier: 1, owner: Ana, day_column: day, about: A.}
  - {name: fct_b, pipeline: daily, tier: 2, owner: Ana, day_column: day, about: B.}
consumers:
  - {name: Board, table: fct_a, reads_at: "09:00"}
"""
SLOS = """\
slos:
  - name: fct_a
    tier: 1
    freshness: {slo: "< 2 hours for 99% (30-day rolling)"}
"""
CONTRACT = """\
apiVersion: v3.0.2
kind: DataContract
id: a
version: 1.0.0
status: active
schema:
  - name: fct_a
    properties:
      - {name: day, logicalType: date, required: true}
"""
RUNS = """\
run_id,pipeline,table,due_at,started_at,finished_at,published_at,status
r1,daily,fct_a,2026-01-01T06:00:00+01:00,2026-01-01T05:00:00Z,2026-01-01T05:09:00Z,2026-01-01T05:09:00Z,published
r2,daily,fct_a,2026-01-02T06:00:00+01:00,2026-01-02T22:58:00Z,2026-01-02T23:04:00Z,2026-01-02T23:04:00Z,published
r3,daily,fct_a,2026-01-03T06:00:00+01:00,2026-01-03T05:00:00Z,2026-01-03T05:09:00Z,,blocked
"""
ALERTS = "alerted_at,name,table\n2026-01-02T22:59:00Z,late,fct_a\n2026-01-02T23:00:00Z,late,fct_a\n"


@pytest.fixture
def shop(tmp_path):
    """A team of one's own, with every file but the answers."""
    folder = tmp_path / "shop"
    (folder / "contracts").mkdir(parents=True)
    (folder / "pipelines" / "daily").mkdir(parents=True)
    files = {
        "team.yaml": TEAM,
        "slos.yaml": SLOS,
        "contracts/fct_a.yaml": CONTRACT,
        "runs.csv": RUNS,
        "alerts.csv": ALERTS,
        "pipelines/daily/fct_a.sql": "SELECT * FROM raw.a",
        "pipelines/daily/fct_b.sql": "SELECT * FROM fct_a",
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def load(folder, as_of="2026-01-03"):
    return teams.load(folder.name, as_of=as_of, root=folder.parent)


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def problems_of(folder):
    """What `dataops check` prints; loading must fail of the same."""
    found = teams.problems(folder.name, root=folder.parent)
    assert found, "no problem was found"
    with pytest.raises(TeamError) as caught:
        load(folder)
    assert set(caught.value.problems) <= set(found)
    return [str(problem) for problem in found]


# ---- a good folder


def test_a_good_folder_has_no_problems_and_loads(shop):
    assert teams.problems("shop", root=shop.parent) == []
    team = load(shop)
    assert (team.name, team.as_of, team.zone) == ("shop", date(2026, 1, 3), "Europe/Berlin")
    assert [promise.sli for promise in team.slos] == ["freshness"]
    assert list(team.contracts) == ["fct_a"]
    assert team.downstream("raw.a") == ("fct_a", "fct_b")
    assert team.pipeline_of("fct_b").name == "daily"


def test_only_team_yaml_is_needed_and_the_rest_is_unknown_not_empty(tmp_path):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "team.yaml").write_text("name: shop\ntitle: Shop\nzone: UTC\n")
    team = load(tmp_path / "shop")
    assert team.slos is team.contracts is team.runs is team.alerts is team.assessment is None
    assert set(team.missing) == {
        "slos.yaml",
        "contracts",
        "assessment.yaml",
        "runs.csv",
        "alerts.csv",
    }
    assert all(team.missing.values())


def test_a_history_without_rows_is_known_to_be_empty(shop):
    (shop / "runs.csv").write_text(RUNS.splitlines()[0] + "\n")
    team = load(shop)
    assert len(team.runs) == 0
    assert "runs.csv" not in team.missing


def test_nothing_from_as_of_on_is_known_and_as_of_begins_in_the_teams_zone(shop):
    team = load(shop)  # 3 January begins in Berlin at 23:00 UTC of the 2nd
    assert team.as_of_at == datetime(2026, 1, 2, 23, tzinfo=UTC)
    assert list(team.runs["run_id"]) == ["r1", "r2"]
    assert list(team.runs["status"]) == ["published", "running"]
    assert list(team.alerts["alerted_at"]) == [datetime(2026, 1, 2, 22, 59, tzinfo=UTC)]
    assert list(load(shop, "2026-01-04").runs["status"]) == ["published", "published", "blocked"]


def test_the_window_is_the_days_before_as_of(shop):
    window = load(shop).window(2)
    assert window.start == datetime(2025, 12, 31, 23, tzinfo=UTC)
    assert window.end == datetime(2026, 1, 2, 23, tzinfo=UTC)


def test_nothing_is_expected_before_the_first_due_day(shop):
    team = load(shop)
    assert team.expected("fct_a", team.window(30)) == [
        datetime(2026, 1, 1, 5, tzinfo=UTC),
        datetime(2026, 1, 2, 5, tzinfo=UTC),
    ]
    assert load(shop, "2025-12-31").expected("fct_a", load(shop, "2025-12-31").window()) == []


def test_nothing_is_expected_on_a_holiday(shop):
    holidays = "first_due: 2026-01-01, holidays: [2026-01-02]}"
    edit(shop / "team.yaml", "first_due: 2026-01-01}", holidays)
    team = load(shop)
    assert team.expected("fct_a", team.window(30)) == [datetime(2026, 1, 1, 5, tzinfo=UTC)]


def test_a_pipelines_own_zone_wins_over_the_teams(shop):
    edit(shop / "team.yaml", "first_due: 2026-01-01}", "first_due: 2026-01-01, zone: UTC}")
    assert load(shop).expected("fct_a", load(shop).window(30))[0].hour == 6


def test_inputs_hold_the_sha256_of_each_file_as_sha256sum_prints_it(shop):
    (shop / "slos.yaml").write_bytes(SLOS.replace("\n", "\r\n").encode())
    inputs = load(shop).inputs
    assert set(inputs) == {
        "team.yaml",
        "slos.yaml",
        "contracts/fct_a.yaml",
        "runs.csv",
        "alerts.csv",
    }
    for name, digest in inputs.items():
        assert digest == hashlib.sha256((shop / name).read_bytes()).hexdigest()


def test_a_team_cannot_be_changed(shop):
    with pytest.raises(ValueError, match="frozen"):
        load(shop).title = "Other"


# ---- names and places


@pytest.mark.parametrize(
    "name",
    ["../x", "a/b", "<script>", "", ".", "..", "/etc", "Shop", "shop ", "shop\n", "-a", "a--b",
     "_template", "a" * 61, "shöp", "shop;rm", "shop\x00", "${HOME}", "shop.yaml", "a\\b", "~"],
)  # fmt: skip
def test_a_name_that_is_no_slug_is_refused_everywhere(shop, name):
    for use in (teams.load, teams.problems, folders.folder_of):
        with pytest.raises(UsageError, match="is not a team name: use lower-case letters"):
            use(name, root=shop.parent)


@pytest.mark.parametrize("name", [None, 5, 2.0, ["shop"]])
def test_a_name_that_is_no_text_is_refused_too(shop, name):
    with pytest.raises(UsageError, match="is not a team name"):
        teams.load(name, root=shop.parent)


def test_an_unknown_team_is_told_with_the_known_ones(shop):
    with pytest.raises(UsageError, match=r"no team 'stop' in .*\. Teams there: shop"):
        teams.load("stop", root=shop.parent)
    with pytest.raises(UsageError, match="none yet; `dataops new-team NAME` makes one"):
        teams.load("stop", root=shop / "nowhere")


def test_a_folder_without_team_yaml_is_no_team(shop):
    (shop.parent / "other").mkdir()
    (shop.parent / "_template").mkdir()
    (shop.parent / "_template" / "team.yaml").write_text("name: __NAME__\n")
    assert teams.names(shop.parent) == ["shop"]


def test_the_folder_of_teams_comes_from_the_call_then_the_environment_then_the_clone(
    shop, monkeypatch
):
    assert teams.names() == ["flights", "orders"]
    monkeypatch.setenv("DATAOPS_TEAMS_DIR", str(shop.parent))
    assert teams.names() == ["shop"]
    assert teams.names(files_.HOME / "data" / "teams") == ["flights", "orders"]


def test_the_name_in_the_file_must_be_that_of_the_folder(shop):
    edit(shop / "team.yaml", "name: shop", "name: stop")
    (found,) = problems_of(shop)
    assert found == (
        "team.yaml:1: name: is 'stop' in the folder 'shop'. "
        "Fix: write `name: shop`, or rename the folder"
    )


def test_a_name_with_a_dash_is_a_name(shop):
    shop.rename(shop.parent / "web-shop")
    edit(shop.parent / "web-shop" / "team.yaml", "name: shop", "name: web-shop")
    assert load(shop.parent / "web-shop").name == "web-shop"


# ---- as_of


@pytest.mark.parametrize(
    "as_of", ["", "yesterday", "2013-02-30", "03/01/2013", "2013-03", "1e9", 7]
)
def test_an_as_of_that_is_no_date_is_refused(shop, as_of):
    with pytest.raises(UsageError, match=r"as_of is .* but must be a date such as 2013-03-01"):
        load(shop, as_of)


def test_an_as_of_in_the_future_or_before_computers_is_refused(shop):
    tomorrow = datetime.now(UTC).date() + timedelta(days=2)
    for day in (tomorrow.isoformat(), "9999-12-31", "0001-01-01", "1969-12-31"):
        with pytest.raises(UsageError, match="must lie between 1970-03-01 and today"):
            load(shop, day)


@pytest.mark.parametrize(
    ("as_of", "day"),
    [
        ("2026-03-05", date(2026, 3, 5)),
        (date(2026, 3, 5), date(2026, 3, 5)),
        ("today", date(2026, 3, 31)),
        ("last-month", date(2026, 3, 1)),
        (None, None),
    ],
)
def test_as_of_is_a_date_or_one_of_two_words(as_of, day):
    assert teams_team.when(as_of, today=date(2026, 3, 31)) == day


def test_without_as_of_a_team_of_ones_own_is_read_as_of_today(shop):
    (shop / "runs.csv").unlink()
    today = datetime.now(teams_team.windows.ZoneInfo("Europe/Berlin")).date()
    assert load(shop, None).as_of in (today, today + timedelta(days=1))


def test_as_of_after_the_replay_is_refused_and_the_span_named(flights):
    for as_of in ("2013-02-15", "2013-02-04", "2012-12-31", "2026-01-01"):
        span = "team 'flights' was replayed from 2013-02-04 to 2013-02-14"
        with pytest.raises(UsageError, match=f"as_of is {as_of}, but {span}"):
            flights.load(as_of)
    assert flights.load().as_of == date(2013, 2, 14)
    assert flights.load("2013-02-05").as_of == date(2013, 2, 5)


def test_an_example_team_that_was_not_replayed_says_what_to_run(tmp_path, copy_team):
    copy_team(tmp_path, "flights")
    with pytest.raises(
        DataError, match="warehouse of 'flights' is not built yet; run `dataops demo`"
    ):
        teams.load("flights", root=tmp_path)


# ---- mistakes: all at once, with file, field and fix


def test_the_mistakes_of_all_files_are_told_at_once(shop):
    edit(shop / "team.yaml", "tier: 2", "tier: 9")
    edit(shop / "slos.yaml", "99%", "nan%")
    edit(shop / "contracts/fct_a.yaml", "logicalType: date", "logicalType: day")
    edit(shop / "runs.csv", "blocked", "stuck")
    edit(shop / "alerts.csv", "2026-01-02T23:00:00Z", "2026-01-02T23:00:00")
    (shop / "pipelines/daily/fct_b.sql").write_text("DELETE FROM fct_a")
    found = teams.problems("shop", root=shop.parent)
    assert {problem.file for problem in found} == {
        "team.yaml",
        "slos.yaml",
        "contracts/fct_a.yaml",
        "runs.csv",
        "alerts.csv",
        "pipelines/daily/fct_b.sql",
    }
    assert all(problem.fix and problem.message for problem in found)
    assert all(problem.line for problem in found if not problem.file.endswith(".sql"))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("zone: Europe/Berlin", "zone: Berlin", "team.yaml:3: zone: is 'Berlin': not a time zone"),
        ("title: Shop\n", "", "title: is missing. Fix: add `title:`"),
        ("title: Shop", "titel: Shop", "yaml:2: titel: is not a known field. Fix: write `title`"),
        ("title: Shop", "title: [a]", "team.yaml:2: title:"),
        ("title: Shop", "title: Shop\ntitle: Stop", 'team.yaml:3: found duplicate key "title"'),
        ("tier: 1", "tier: .nan", "tables.0.tier: is a number beyond 10^18, infinite, or none"),
        ("tier: 1", "tier: one", "tables.0.tier: is 'one'"),
        ("tier: 1", "tier: 4", "tables.0.tier: is 4"),
        ('"0 6 * * *"', '"60 6 * * *"', "is '60 6 * * *': not a cron schedule"),
        ('"0 6 * * *"', '"@daily"', "not a cron schedule"),
        ('"0 6 * * *"', '"0 0 6 * * *"', "a schedule has five fields, without seconds"),
        ('"0 6 * * *"', '"* * * * mon-never"', "not a cron schedule"),
        ("first_due: 2026-01-01", "first_due: soon", "pipelines.0.first_due: is 'soon'"),
        ("first_due: 2026-01-01", "first_due: 0001-01-01", "is 0001-01-01: input should"),
        ('reads_at: "09:00"', "reads_at: 540", "is 540: not a time of day; write it in quotes"),
        ('reads_at: "09:00"', 'reads_at: "25:00"', "not a time of day"),
        ("pipeline: daily, tier: 1", "pipeline: dialy, tier: 1", "'dialy' is not in `pipelines`"),
        ("table: fct_a, reads", "table: fct_x, reads", "'fct_x' is not in `tables` of team.yaml"),
        ("tier: 2, owner: Ana", "tier: 2, owner: Bob", "'Bob' is not in `people` of team.yaml"),
        ("name: fct_b", "name: fct_a", "tables: the name fct_a stands twice"),
        ("name: fct_b", 'name: "x; DROP TABLE y"', "tables.1.name: is 'x; DROP TABLE y'"),
        ("people:", "poeple:", "is not a known field. Fix: write `people`"),
    ],
)  # fmt: skip
def test_each_way_to_get_team_yaml_wrong_is_told(shop, old, new, said):
    edit(shop / "team.yaml", old, new)
    assert said in "\n".join(problems_of(shop))


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("slos.yaml", "name: fct_a", "name: fct_x", "'fct_x' is not in `tables` of team.yaml"),
        ("contracts/fct_a.yaml", "name: fct_a", "name: fct_x", "'fct_x' is not in `tables`"),
    ],
)
def test_promises_about_tables_that_nobody_knows_are_told(shop, file, old, new, said):
    edit(shop / file, old, new)
    assert said in "\n".join(problems_of(shop))


@pytest.mark.parametrize(
    "name", ["team.yaml", "slos.yaml", "contracts/fct_a.yaml", "runs.csv", "alerts.csv"]
)
@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("title: Café\n".encode("latin-1"), "is not UTF-8 (byte 10)"),
        ("name: shop\n".encode("utf-16"), "is not UTF-8 (byte 0)"),
        (b"\x00\x01\x02", ""),
        (b"\x89PNG\r\n\x1a\n", "is not UTF-8"),
        (b"", ""),
        (b"[" * 400, ""),
    ],
)
def test_a_file_that_is_no_text_of_its_kind_is_told_by_its_name(shop, name, content, said):
    if name in ("slos.yaml",) and not content:
        content = b"- nothing"
    (shop / name).write_bytes(content)
    ours = [text for text in problems_of(shop) if text.startswith(name)]
    assert ours
    assert said in "\n".join(ours)


@pytest.mark.parametrize(
    "name", ["slos.yaml", "contracts/fct_a.yaml", "runs.csv", "alerts.csv", "assessment.yaml"]
)
def test_a_folder_or_a_pipe_in_place_of_a_file_is_told_and_not_waited_for(shop, name):
    path = shop / name
    path.unlink(missing_ok=True)
    path.mkdir()
    assert f"{name}: cannot be read (it is not a file)" in "\n".join(problems_of(shop))
    path.rmdir()
    os.mkfifo(path)
    assert f"{name}: cannot be read (it is not a file)" in "\n".join(problems_of(shop))


@pytest.mark.parametrize(
    ("schedule", "first_due"), [("* * * * *", "1970-01-01"), ("*/5 * * * *", "1990-01-01")]
)
def test_a_schedule_that_is_due_without_end_is_refused_at_once(shop, schedule, first_due):
    edit(shop / "team.yaml", "0 6 * * *", schedule)
    edit(shop / "team.yaml", "2026-01-01", first_due)
    (problem,) = problems_of(shop)
    assert problem.startswith("team.yaml:7: pipelines.0.first_due: makes ")
    assert problem.endswith(
        "Fix: write the day from which the report should look, such as a year ago"
    )


def test_a_daily_schedule_may_begin_with_the_epoch_or_in_years_to_come(shop):
    for first_due in ("1970-01-01", "2190-01-01"):
        text = TEAM.replace("2026-01-01", first_due)
        (shop / "team.yaml").write_text(text)
        assert (load(shop).expected("fct_a", load(shop).window()) == []) == (first_due > "2026")


def test_names_that_do_not_fit_are_told_with_their_line(shop):
    edit(shop / "team.yaml", "fct_b, pipeline: daily", "fct_b, pipeline: dialy")
    (problem,) = problems_of(shop)
    assert problem.startswith("team.yaml:10: tables.1.pipeline: 'dialy' is not in `pipelines`")


@pytest.mark.parametrize("name", ["team.yaml", "contracts/fct_a.yaml", "runs.csv", "rota.csv"])
@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("/nope/nope", "leads out of the folder"),
        ("/dev/zero", "leads out of the folder"),
        ("../../secret", "leads out of the folder"),
        ("nope", "it is a link to nothing"),
    ],
)
def test_a_link_in_place_of_a_file_is_not_followed_out_of_the_folder(shop, name, target, said):
    (shop.parent / "secret").write_text("password: hunter2\n")
    path = shop / name
    path.unlink(missing_ok=True)
    path.symlink_to(target)
    if name != "team.yaml":
        (problem,) = [problem for problem in problems_of(shop) if "cannot be read" in problem]
        assert problem.startswith(name)
        assert said in problem
        return
    with pytest.raises((UsageError, TeamError)) as caught:  # without a team.yaml it is no team
        load(shop)
    assert "hunter2" not in str(caught.value)


def test_a_file_may_be_a_link_to_another_file_of_the_folder(shop):
    (shop / "runs.csv").rename(shop / "exported.csv")
    (shop / "runs.csv").symlink_to("exported.csv")
    assert len(load(shop).runs) == 2


@pytest.mark.parametrize("mark", ["\ufeff", ""])
def test_files_saved_by_other_systems_read_the_same(shop, mark):
    usual = load(shop)
    for path in shop.rglob("*.*"):
        text = path.read_text(encoding="utf-8").replace("\n", "\r\n")
        path.write_bytes((mark * (path.suffix != ".sql") + text).encode())
    team = load(shop)
    assert (team.tables, team.slos, team.contracts) == (usual.tables, usual.slos, usual.contracts)
    assert team.runs.equals(usual.runs)
    assert team.alerts.equals(usual.alerts)


def test_a_huge_file_is_refused_at_once(shop):
    (shop / "slos.yaml").write_text("# " + "x" * 2_000_000)
    assert "slos.yaml: has 2,000,002 characters" in "\n".join(problems_of(shop))


def test_a_team_without_people_may_name_any_owner(shop):
    edit(shop / "team.yaml", "people:\n  - {name: Ana, role: engineer}\n", "")
    assert load(shop).table("fct_a").owner == "Ana"


# ---- secrets

CATALOG = "catalog:\n  properties:\n    type: rest\n    uri: {uri}\n    {key}: {value}\n"


def with_catalog(folder, *, uri="https://catalog.example.com", key="prefix", value="x"):
    text = TEAM + CATALOG.format(uri=uri, key=key, value=value)
    (folder / "team.yaml").write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    "key",
    ["token", "password", "credential", "s3.secret-access-key", "s3.access-key-id",
     "adls.account-key", "adls.sas-token", "adls.client-secret", "adls.connection-string",
     "gcs.oauth2.token", "header.Authorization", "PASSWORD", "db_pwd"],
)  # fmt: skip
@pytest.mark.parametrize("form", ["{}", '"{}"', "${{X}}{}", "{} "])
def test_a_literal_secret_is_refused_and_never_repeated(shop, key, form):
    with_catalog(shop, key=key, value=form.format(SECRET))
    (found,) = problems_of(shop)
    assert f"property '{key}' holds a literal secret; write ${{NAME}}" in found
    assert SECRET not in found


@pytest.mark.parametrize(
    "uri",
    [
        f"postgresql://user:{SECRET}@host/db",
        f"postgresql://user:a/{SECRET}@host/db",
        f"postgresql://:{SECRET}@host/db",
        f"postgresql://user:${{NAME}}{SECRET}@host/db",
        f"postgresql://host/db?user=a&password={SECRET}",
        f"https://host/?access_token={SECRET}",
        f'"AccountName=a;AccountKey={SECRET};"',
        f'"host=a password={SECRET}"',
    ],
)
def test_a_secret_inside_of_an_address_is_refused_and_never_repeated(shop, uri):
    with_catalog(shop, uri=uri)
    (found,) = problems_of(shop)
    assert "property 'uri' holds a literal secret" in found
    assert SECRET not in found


@pytest.mark.parametrize(
    "catalog",
    [
        f"catalog: {SECRET}",
        f"catalog: [{SECRET}]",
        f"catalog: {{properties: {SECRET}}}",
        f"catalog: {{properties: {{password: [{SECRET}]}}}}",
        f"catalog: {{properties: {{password: {{a: {SECRET}}}}}}}",
        f"catalog: {{properties: {{password: {SECRET}, password: {SECRET}}}}}",
        f"catalog: {{name: '{SECRET} ', properties: {{}}}}",
        f"catalog: {{password: {SECRET}, properties: {{}}}}",
        f"password: {SECRET}",
    ],
)
def test_a_secret_in_the_wrong_place_is_not_repeated_either(shop, catalog):
    (shop / "team.yaml").write_text(f"{TEAM}{catalog}\n", encoding="utf-8")
    assert SECRET not in "\n".join(problems_of(shop))


def test_a_password_that_is_a_number_is_not_repeated(shop):
    with_catalog(shop, key="password", value="8675309")
    assert "8675309" not in "\n".join(problems_of(shop))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("oauth2-server-uri", "https://login.example.com/oauth2/token"),
        ("warehouse", "s3://bucket/key=1/path"),
        ("s3.region", "eu-central-1"),
        ("token-refresh-enabled", "true"),
        ("py-io-impl", "pyiceberg.io.pyarrow.PyArrowFileIO"),
        ("rest.sigv4-enabled", "'true'"),
    ],
)
def test_what_only_sounds_like_a_secret_may_be_written(shop, key, value):
    with_catalog(shop, key=key, value=f'"{value.strip(chr(39))}"')
    assert teams.problems("shop", root=shop.parent) == []


def test_a_secret_comes_from_the_environment_and_is_shown_nowhere(shop, monkeypatch):
    monkeypatch.setenv("DATAOPS_ALLOW", "SHOP_PASSWORD, SHOP_TOKEN")
    with_catalog(
        shop, uri="postgresql://u:${SHOP_PASSWORD}@host/db", key="token", value="${SHOP_TOKEN}"
    )
    assert teams.problems("shop", root=shop.parent) == []
    with pytest.raises(TeamError, match="the environment has no SHOP_") as caught:
        load(shop)
    assert re.search("Fix: export SHOP_(PASSWORD|TOKEN)", str(caught.value))
    monkeypatch.setenv("SHOP_PASSWORD", SECRET)
    monkeypatch.setenv("SHOP_TOKEN", SECRET)
    team = load(shop)
    assert team.catalog.properties["uri"] == f"postgresql://u:{SECRET}@host/db"
    assert SECRET not in repr(team) + str(team) + str(team.catalog) + repr(team.inputs)


def test_a_secret_stays_out_of_the_traceback_of_a_catalog_that_is_down(shop, monkeypatch):
    monkeypatch.setenv("DATAOPS_SHOP_TOKEN", SECRET)
    with_catalog(shop, uri="http://127.0.0.1:9", key="token", value="${DATAOPS_SHOP_TOKEN}")
    team = load(shop)
    try:
        from dataops_lib import warehouse

        warehouse.open(team.catalog, create=True)
    except Exception:
        assert SECRET not in traceback.format_exc()
    else:
        pytest.fail("nothing listens there")


def test_a_variable_that_is_empty_is_set(shop, monkeypatch):
    with_catalog(shop, key="token", value="${DATAOPS_TOKEN}")
    monkeypatch.setenv("DATAOPS_TOKEN", "")
    assert load(shop).catalog.properties["token"] == ""


def test_a_variable_that_nobody_allowed_is_sent_nowhere(shop, monkeypatch):
    monkeypatch.setenv("AWS_KEY", SECRET)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(shop.parent / "settings"))
    with_catalog(shop, uri="https://evil.example/${AWS_KEY}")
    with pytest.raises(
        TeamError, match="uses \\$\\{AWS_KEY\\}, which nobody has allowed"
    ) as caught:
        load(shop)
    assert "`dataops allow shop`" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_what_is_allowed_once_is_asked_again_when_the_address_changes(shop, monkeypatch):
    monkeypatch.setenv("LAKE_TOKEN", SECRET)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(shop.parent / "settings"))
    with_catalog(shop, key="token", value="${LAKE_TOKEN}")
    catalog = teams_team.team_file(shop).catalog
    assert variables.to_be_allowed(catalog, shop) == (("token", "LAKE_TOKEN"),)
    variables.allow(catalog, shop)
    assert variables.to_be_allowed(catalog, shop) == ()
    assert load(shop).catalog.properties["token"] == SECRET
    with_catalog(shop, uri="https://other.example", key="token", value="${LAKE_TOKEN}")
    with pytest.raises(TeamError, match="nobody has allowed"):
        load(shop)


def test_no_log_record_of_any_library_holds_a_secret(shop, monkeypatch, caplog):
    monkeypatch.setenv("DATAOPS_TOKEN", SECRET)
    with_catalog(shop, key="token", value="${DATAOPS_TOKEN}")
    load(shop)
    log = logging.getLogger("pyiceberg.io")
    log.warning("Could not initialize %s", {"token": SECRET})
    try:
        raise ValueError(f"https://host/?token={SECRET}")
    except ValueError:
        log.warning("failed", exc_info=True)
    assert "Could not initialize {'token': '***'}" in caplog.text
    assert "https://host/?token=***" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize("key", ["py-catalog-impl", "py-io-impl", "auth.impl"])
def test_a_property_that_names_code_is_refused(shop, key):
    with_catalog(shop, key=key, value="os.system")
    (problem,) = problems_of(shop)
    assert f"property '{key}' names code to be run" in problem


def test_settings_of_the_machine_are_not_merged_into_a_teams_catalog(shop, monkeypatch):
    from dataops_lib import warehouse

    monkeypatch.setenv("PYICEBERG_CATALOG__DEFAULT__CREDENTIAL", SECRET)
    (shop / "c.db").touch()
    with_catalog(shop, uri=f"sqlite:///{shop / 'c.db'}")
    text = (shop / "team.yaml").read_text().replace("type: rest", "type: sql")
    (shop / "team.yaml").write_text(text)
    assert SECRET not in str(warehouse.open(load(shop).catalog).properties)


def test_an_sqlite_catalog_that_is_not_there_is_an_error_and_no_new_file(shop):
    from dataops_lib import warehouse

    with_catalog(shop, uri=f"sqlite:///{shop / 'typo.db'}")
    text = (shop / "team.yaml").read_text().replace("type: rest", "type: sql")
    (shop / "team.yaml").write_text(text)
    with pytest.raises(DataError, match=r"there is no SQLite catalog .*typo\.db; correct `uri:`"):
        warehouse.open(load(shop).catalog)
    assert not (shop / "typo.db").exists()


# ---- who is new, and who was on call

ONBOARDING = """\
learners:
  - name: Ana
    started_on: 2026-01-01
    test: {table: fct_a, check: "not_null(day)"}
    contract: fct_a
    pipeline: daily
"""
ROTA = """\
starts_at,ends_at,role,person
2026-01-01T09:00:00Z,2026-01-08T09:00:00Z,primary,Ana
"""


def test_who_is_new_and_who_is_on_call_are_read_when_they_are_given(shop):
    team = load(shop)
    assert team.onboarding is team.rota is None
    assert not {"onboarding.yaml", "rota.csv"} & set(team.missing)
    (shop / "onboarding.yaml").write_text(ONBOARDING)
    (shop / "rota.csv").write_text(ROTA)
    team = load(shop)
    assert team.onboarding.learners[0].test.check == "not_null(day)"
    assert list(team.rota["person"]) == ["Ana"]
    assert {"onboarding.yaml", "rota.csv"} <= set(team.inputs)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("name: Ana", "name: Eve", "onboarding.yaml:2: learners.0.name: 'Eve' is not in `people`"),
        (
            "table: fct_a",
            "table: x",
            "onboarding.yaml:4: learners.0.test.table: 'x' is not in `tab",
        ),
        ("contract: fct_a", "contract: x", "onboarding.yaml:5: learners.0.contract: 'x' is not in"),
        ("pipeline: daily", "pipeline: x", "onboarding.yaml:6: learners.0.pipeline: 'x' is not in"),
        ("2026-01-01", "soon", "onboarding.yaml:3: learners.0.started_on: is 'soon'"),
        (
            "    contract",
            "    contrat",
            "onboarding.yaml:5: learners.0.contrat: is not a known fie",
        ),
        (", check: ", ", chek: ", "learners.0.test.check: is missing"),
    ],
)
def test_each_way_to_get_onboarding_wrong_is_told_with_its_line(shop, old, new, said):
    (shop / "onboarding.yaml").write_text(ONBOARDING.replace(old, new))
    found = "\n".join(problems_of(shop))
    assert said in found
    assert "Fix: " in found


def test_all_mistakes_of_onboarding_and_rota_come_at_once(shop):
    text = ONBOARDING.replace("Ana", "Eve").replace("daily", "x")
    (shop / "onboarding.yaml").write_text(text)
    rows = "2026-01-08T09:00:00Z,2026-01-08T09:00:00Z,shadow,Eve\n"
    (shop / "rota.csv").write_text(ROTA + "\n" + rows)  # the blank line has a number, too
    found = "\n".join(problems_of(shop))
    for said in (
        "onboarding.yaml:2: learners.0.name",
        "onboarding.yaml:6: learners.0.pipeline",
        "rota.csv:4: person: 'Eve' is not in `people` of team.yaml. Fix: add it there, or write",
        "rota.csv:4: ends_at: is not after starts_at. Fix: write the later time into ends_at",
    ):
        assert said in found


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "primary",
            "boss",
            "role: is 'boss', but must be one of primary, secondary, domain expert, manager",
        ),
        ("2026-01-08T09:00:00Z", "2026-01-08T09:00", "rota.csv:2: ends_at: is '2026-01-08T09:00'"),
        (",Ana", ",", "rota.csv:2: person: is empty"),
    ],
)
def test_a_wrong_shift_is_told_with_its_line(shop, old, new, said):
    (shop / "rota.csv").write_text(ROTA.replace(old, new))
    assert said in "\n".join(problems_of(shop))


def test_a_learner_stands_once(shop):
    (shop / "onboarding.yaml").write_text(ONBOARDING + ONBOARDING.split("\n", 1)[1])
    assert "the name Ana stands twice" in "\n".join(problems_of(shop))


ON_CALL = """\
rotation: {zone: UTC}
people:
  - {name: Ana, domains: [fct_a]}
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "name: Ana",
            "name: Eve",
            "on_call.yaml:3: people.0.name: 'Eve' is not in `people` of team",
        ),
        ("fct_a", "fct_z", "on_call.yaml:3: people.0.domains: 'fct_z' is not in `tables` of team"),
        ("zone: UTC", "zone: Mars", "on_call.yaml:1: rotation.zone: is 'Mars': not a time zone"),
        ("zone: UTC", "layers: [manager]", "needs `primary`, and each layer once"),
        ("zone: UTC", "handoff_day: mon", "must be one of monday, tuesday"),
        ("people:", "reviews: {a: 2026-01-01T00:00:00}\npeople:", "the time of a needs an offset"),
    ],
)
def test_a_wrong_on_call_file_is_told_with_its_line(shop, old, new, said):
    (shop / "on_call.yaml").write_text(ON_CALL)
    assert teams.problems(shop.name, root=shop.parent) == []
    (shop / "on_call.yaml").write_text(ON_CALL.replace(old, new))
    assert said in "\n".join(problems_of(shop))
