"""What was measured, and what must stay unknown."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataops_lib import windows as windows_
from dataops_lib.service_levels import freshness, sli
from dataops_lib.windows import Window, due_times, rolling

settings.register_profile("patient", deadline=None)  # first imports are slow
settings.load_profile("patient")
NEW_YORK = "America/New_York"
START = datetime(2013, 1, 1, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
DAY = 24 * HOUR
MICROSECOND = timedelta(microseconds=1)


def at(hours: float) -> datetime:
    return START + hours * HOUR


# Freshness


def test_without_a_landing_every_promised_minute_is_bad():
    minutes = freshness.freshness([], start=START, end=at(24), max_age=HOUR)
    assert (minutes.bad, minutes.ratio) == (1440, 0.0)


def test_a_landing_before_the_start_is_remembered():
    assert freshness.freshness([at(-20)], start=START, end=at(12), max_age=26 * HOUR).good == 360


def test_a_missed_daily_run_costs_22_hours():
    landings = [START, at(48)]
    minutes = freshness.freshness(landings, start=START, end=at(72), max_age=26 * HOUR)
    assert minutes.bad == 22 * 60


def test_a_landing_at_the_end_of_the_window_does_not_help():
    minutes = freshness.freshness([at(24)], start=START, end=at(24), max_age=HOUR)
    assert (minutes.good, minutes.observations) == (0, 0)


def test_excluded_wins_over_unknown():
    span = Window(at(1), at(2))
    minutes = freshness.freshness(
        [START], start=START, end=at(4), max_age=DAY, excluded=[span], unknown=[span]
    )
    assert (minutes.excluded, minutes.unknown) == (60, 0)


def test_unknown_minutes_leave_the_ratio_and_widen_its_bounds():
    unknown = [Window(at(2), at(4))]
    minutes = freshness.freshness([START], start=START, end=at(4), max_age=HOUR, unknown=unknown)
    assert (minutes.ratio, minutes.coverage, minutes.bounds) == (0.5, 0.5, (0.25, 0.75))


def test_a_window_that_was_wholly_excluded_has_no_ratio():
    everything = [Window(START, at(4))]
    minutes = freshness.freshness(
        [START], start=START, end=at(4), max_age=HOUR, excluded=everything
    )
    assert (minutes.ratio, minutes.coverage) == (None, None)


def test_a_time_without_zone_is_refused():
    with pytest.raises(ValueError, match="no time zone"):
        freshness.freshness([datetime(2013, 1, 1)], start=START, end=at(1), max_age=HOUR)


def test_landings_may_come_as_a_column_with_gaps():
    column = pd.Series([pd.Timestamp(START), pd.NaT])
    assert freshness.freshness(column, start=START, end=at(2), max_age=HOUR).good == 60


moments = st.integers(-3000, 6000).map(lambda minute: START + minute * MINUTE)
spans = st.lists(
    st.tuples(moments, st.integers(0, 2000)).map(lambda s: Window(s[0], s[0] + s[1] * MINUTE)),
    max_size=4,
)


def oracle(landings, start, end, max_age, excluded, unknown):
    """Ask every minute by itself whether it was good: slow, and obviously right."""
    counts = dict.fromkeys(["good", "bad", "unknown", "excluded"], 0)
    moment = start
    while moment < end:
        before = [landing for landing in landings if landing <= moment]
        if any(moment in window for window in excluded):
            counts["excluded"] += 1
        elif any(moment in window for window in unknown):
            counts["unknown"] += 1
        elif before and moment - max(before) < max_age:
            counts["good"] += 1
        else:
            counts["bad"] += 1
        moment += MINUTE
    return counts


@settings(max_examples=60)
@given(
    landings=st.lists(moments, max_size=8),
    age=st.integers(1, 2000),
    excluded=spans,
    unknown=spans,
    days=st.integers(1, 3),
    month=st.sampled_from([date(2013, 1, 5), date(2013, 3, 11), date(2013, 11, 4)]),
)
def test_the_closed_form_agrees_with_asking_every_minute(
    landings, age, excluded, unknown, days, month
):
    window = rolling(month, days=days, zone=NEW_YORK)  # two of the months change their clocks
    shift = window.start - START
    landings = [landing + shift for landing in landings]
    excluded = [Window(w.start + shift, w.end + shift) for w in excluded]
    unknown = [Window(w.start + shift, w.end + shift) for w in unknown]
    age = age * MINUTE
    span = {"start": window.start, "end": window.end}
    minutes = freshness.freshness(landings, **span, max_age=age, excluded=excluded, unknown=unknown)
    counted = oracle(landings, window.start, window.end, age, excluded, unknown)
    assert {name: getattr(minutes, name) for name in counted} == counted


fine = st.integers(-(10**10), 4 * 10**11).map(lambda us: START + us * MICROSECOND)


@given(st.lists(fine, max_size=10), st.lists(st.tuples(fine, fine), max_size=5), fine, fine)
def test_the_four_kinds_add_up_to_the_promised_time(landings, pairs, one, other):
    start, end = min(one, other), max(one, other)
    windows = [Window(min(pair), max(pair)) for pair in pairs]
    m = freshness.freshness(
        landings, start=start, end=end, max_age=HOUR, excluded=windows[::2], unknown=windows[1::2]
    )
    whole = [round(part * 60_000_000) for part in (m.good, m.bad, m.unknown, m.excluded)]
    assert min(whole) >= 0
    assert sum(whole) == (end - start) // MICROSECOND


@given(st.lists(moments, max_size=8), st.randoms())
def test_the_order_of_landings_does_not_matter(landings, random):
    shuffled = random.sample(landings, len(landings))
    span = {"start": START, "end": at(72), "max_age": 5 * HOUR}
    assert freshness.freshness(shuffled, **span) == freshness.freshness(landings, **span)


@given(st.lists(moments, max_size=8), moments)
def test_a_late_landing_never_repairs_the_past(landings, late):
    end = max(START, min(late, at(100)))
    span = {"start": START, "end": end, "max_age": 5 * HOUR}
    assert (
        freshness.freshness([*landings, late], **span).good
        == freshness.freshness(landings, **span).good
    )


@given(st.lists(moments, max_size=8), moments)
def test_one_more_landing_never_makes_a_window_worse(landings, another):
    span = {"start": START, "end": at(96), "max_age": 5 * HOUR}
    assert (
        freshness.freshness([*landings, another], **span).good
        >= freshness.freshness(landings, **span).good
    )


def test_on_a_weekday_schedule_a_quiet_weekend_is_not_late():
    window = Window(datetime(2013, 1, 4, tzinfo=UTC), datetime(2013, 1, 8, tzinfo=UTC))  # Friday on
    due = due_times("0 6 * * 1-5", "UTC", Window(window.start, window.end + 7 * DAY))
    landings = [window.start - 17 * HOUR, window.start + 6.5 * HOUR]  # Thursday's and Friday's
    minutes = freshness.lateness(landings, due, start=window.start, end=window.end, grace=2 * HOUR)
    assert minutes.bad == 16 * 60  # from Monday 08:00
    by_age = freshness.freshness(landings, start=window.start, end=window.end, max_age=26 * HOUR)
    assert by_age.bad > 60 * 60  # an age alone would call the weekend stale


def test_a_landing_at_the_due_time_itself_is_the_one_that_was_due():
    due = [START, at(24), at(48)]
    minutes = freshness.lateness([START], due, start=START, end=at(48), grace=2 * HOUR)
    assert minutes.good == 26 * 60


def test_a_version_that_comes_after_its_successor_was_due_is_late_with_it():
    due = [START, at(24), at(48)]
    span = {"start": START, "end": at(48), "grace": 2 * HOUR}
    landed = [START, at(24.5)]  # the second was due at hour 0, as the first: it refreshes nothing
    assert freshness.lateness(landed, due, **span, landed_for=[START, START]).good == 26 * 60
    landed = [at(24.5)]  # alone it is good for the 90 minutes until its successor is late
    assert freshness.lateness(landed, due, **span, landed_for=[START]).good == 90
    assert freshness.lateness(landed, due, **span).good == 23.5 * 60  # taken for its successor


def late_by_the_minute(landed, due, start, end, grace):
    """Ask every minute whether some version was there that is not overdue yet."""
    good, moment = 0, start
    while moment < end:
        there = [made_for for landing, made_for in landed if landing <= moment]
        newest = max(there, default=None)
        successor = next((d for d in due if newest is not None and d > newest), None)
        good += newest is not None and (successor is None or moment < successor + grace)
        moment += MINUTE
    return good


@settings(max_examples=30)
@given(
    drawn=st.lists(st.tuples(st.integers(0, 4), st.integers(-600, 4000)), max_size=6),
    grace=st.integers(0, 600),
    end=st.sampled_from([date(2013, 1, 8), date(2013, 3, 12), date(2013, 11, 5)]),
)
def test_lateness_agrees_with_asking_every_minute_on_weekdays_and_when_clocks_change(
    drawn, grace, end
):
    window = rolling(end, days=4, zone=NEW_YORK)  # a weekend is in each, a change of clocks in two
    due = due_times("0 6 * * 1-5", NEW_YORK, Window(window.start - 7 * DAY, window.end))[-5:]
    landed = [(due[day % len(due)] + late * MINUTE, due[day % len(due)]) for day, late in drawn]
    minutes = freshness.lateness(
        [landing for landing, _ in landed],
        due,
        start=window.start,
        end=window.end,
        grace=grace * MINUTE,
        landed_for=[made_for for _, made_for in landed],
    )
    counted = late_by_the_minute(landed, due, window.start, window.end, grace * MINUTE)
    assert minutes.good == counted
    assert minutes.total == window.duration / MINUTE


def publishes(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["published_at", "newest_event_at"])


def test_a_backfill_of_old_days_never_refreshes():
    table = publishes((at(1), at(0)), (at(10), at(-500)))
    minutes = freshness.content_freshness(table, start=START, end=at(24), max_age=6 * HOUR)
    assert minutes.good == 300  # from 1 h to 6 h; the backfill at 10 h changes nothing


def test_a_green_run_without_new_rows_is_not_fresh():
    table = publishes((at(1), at(0)), (at(25), at(0)))
    minutes = freshness.content_freshness(table, start=START, end=at(48), max_age=6 * HOUR)
    assert minutes.good == 300  # nothing is good after the second run either


def test_records_from_the_future_do_not_make_a_table_fresh_for_longer():
    table = publishes((at(1), at(900)))
    minutes = freshness.content_freshness(table, start=START, end=at(24), max_age=6 * HOUR)
    assert minutes.good == 360
    assert "1 publish held records from the future" in minutes.how


def test_landing_age_and_content_age_tell_different_stories():
    table = publishes(*((at(24 * day), at(24 * day - 146)) for day in range(10)))  # 6.1 days old
    span = {"start": START, "end": at(240)}
    assert freshness.freshness(table["published_at"], **span, max_age=26 * HOUR).ratio == 1
    assert freshness.content_freshness(table, **span, max_age=6 * DAY).ratio == 0


@settings(max_examples=30)
@given(st.lists(st.tuples(moments, moments), max_size=8), st.integers(1, 2000))
def test_content_age_agrees_with_asking_every_minute(rows, age):
    table = publishes(*rows)
    minutes = freshness.content_freshness(table, start=START, end=at(48), max_age=age * MINUTE)
    good, moment = 0, START
    while moment < at(48):
        newest = max((min(event, came) for came, event in rows if came <= moment), default=None)
        good += newest is not None and moment - newest < age * MINUTE
        moment += MINUTE
    assert (minutes.good, minutes.total) == (good, 2880)


def test_a_record_from_the_future_does_not_stop_later_landings_from_counting():
    table = publishes((at(1), at(900)), (at(2), at(1.5)))
    minutes = freshness.content_freshness(table, start=START, end=at(24), max_age=6 * HOUR)
    assert minutes.good == 390  # from the first publish until six hours after 1:30


# Runs

DUE = [START + day * DAY for day in range(4)]


def runs(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["due_at", "status", "trigger", "started_at"])


def test_an_expected_run_without_a_row_is_bad():
    measured = sli.success(runs((DUE[0], "published", "scheduled", DUE[0])), DUE)
    assert (measured.good, measured.total) == (1, 4)


def test_a_pipeline_that_recorded_nothing_is_at_zero():
    assert sli.success(runs(), DUE).ratio == 0


def test_without_expected_runs_success_is_undefined():
    assert sli.success(runs(), []).ratio is None


def test_a_rerun_repairs_the_table_not_the_run():
    table = runs(
        (DUE[0], "failed", "scheduled", DUE[0]),
        (DUE[0], "published", "rerun", DUE[0] + HOUR),
        (DUE[1], "published", "manual", DUE[1]),
    )
    assert sli.success(table, DUE[:2]).good == 0


def test_the_first_attempt_counts_whatever_the_order_of_rows():
    table = runs(
        (DUE[0], "published", "scheduled", DUE[0] + HOUR),
        (DUE[0], "failed", "scheduled", DUE[0]),
    )
    assert sli.success(table, DUE[:1]).good == 0


@pytest.mark.parametrize("status", ["running", None, float("nan")])
def test_a_run_that_has_not_ended_is_unknown(status):
    measured = sli.success(runs((DUE[0], status, "scheduled", DUE[0])), DUE[:1])
    assert (measured.total, measured.unknown, measured.ratio) == (0, 1, None)


@pytest.mark.parametrize("status", ["failed", "blocked", "skipped", "a word nobody knows"])
def test_every_other_end_is_bad(status):
    assert sli.success(runs((DUE[0], status, "scheduled", DUE[0])), DUE[:1]).ratio == 0


def test_runs_that_were_not_expected_are_counted_and_ignored():
    table = runs((DUE[0], "published", "scheduled", DUE[0]), (at(3), "failed", "scheduled", at(3)))
    measured = sli.success(table, DUE[:1])
    assert (measured.ratio, measured.ignored) == (1.0, 1)


def test_due_times_match_across_zones():
    table = pd.DataFrame({"due_at": ["2013-01-01T01:00:00+01:00"], "status": ["success"]})
    assert sli.success(table, [START]).ratio == 1


def test_the_published_history_of_oil_prices_is_51_percent_alive():
    # datasets/oil-prices: 1173 days with a run, all successful, of 2288 days in the span
    due = [START + day * DAY for day in range(2288)]
    table = pd.DataFrame({"due_at": due[:1173], "status": "success"})
    assert round(sli.success(table, due).ratio, 3) == 0.513


def test_holidays_of_the_zone_are_not_expected():
    window = rolling(date(2013, 1, 3), days=3, zone=NEW_YORK)
    due = windows_.expected("0 23 * * *", NEW_YORK, window, holidays=[date(2013, 1, 1)])
    assert [moment.isoformat() for moment in due] == [
        "2013-01-01T04:00:00+00:00",
        "2013-01-03T04:00:00+00:00",
    ]


# Completeness


def test_nothing_of_nothing_is_undefined_not_complete():
    assert sli.completeness(0, 0).ratio is None


def test_more_filled_than_there_are_is_refused():
    with pytest.raises(ValueError, match="a part is between 0 and the whole"):
        sli.completeness(5, 4)


# Volume


def daily(counts, first=date(2013, 1, 7)) -> pd.DataFrame:  # a Monday
    return pd.DataFrame({"day": pd.date_range(first, periods=len(counts)), "rows": counts})


BOUNDS = {  # n: the largest z by the sample's and by the population's standard deviation
    3: (1.1547005383792517, 1.4142135623730951),
    5: (1.7888543819998317, 2.0),
    7: (2.2677868380553634, 2.449489742783178),
    8: (2.4748737341529163, 2.6457513110645907),
    10: (2.846049894151541, 3.0),
    11: (3.015113445777636, 3.1622776601683795),
    12: (3.1754265805429417, 3.3166247903554),
    14: (3.474396144861517, 3.605551275463989),
    28: (5.102520385624567, 5.196152422706632),
    30: (5.294651389216606, 5.385164807134504),
}


@pytest.mark.parametrize(("n", "bounds"), BOUNDS.items())
def test_a_z_score_that_includes_its_own_day_cannot_exceed_n_minus_1_by_root_n(n, bounds):
    series = np.array([100.0] * (n - 1) + [0])
    off = abs(series[-1] - series.mean())
    assert (off / series.std(ddof=1), off / series.std()) == pytest.approx(bounds)
    assert bounds[0] == pytest.approx((n - 1) / np.sqrt(n))
    assert (bounds[0] > 3) == (n >= 11)  # the first n that can exceed the article's limit


def test_a_table_that_falls_from_100_rows_to_none_does_not_fire_with_today_inside():
    scored = sli.volume(daily([100] * 6 + [0]), method="zscore-with-today").iloc[-1]
    assert (round(scored["score"], 4), scored["verdict"]) == (-2.2678, "ok")


@given(st.lists(st.integers(0, 10**6), min_size=7, max_size=30))
def test_no_week_can_exceed_2_27_with_today_inside(counts):
    scores = sli.volume(daily(counts), method="zscore-with-today")["score"].abs()
    assert not (scores > 6 / np.sqrt(7) + 1e-6).any()


def test_the_articles_z_score_looks_at_the_seven_days_before():
    counts = [100, 104, 98, 101, 99, 103, 95, 140]
    scored = sli.volume(daily(counts), method="zscore").iloc[-1]
    assert scored["score"] == pytest.approx((140 - 100) / np.std(counts[:7], ddof=1))
    assert scored["verdict"] == "fail"


def test_a_history_without_spread_has_no_z_score():
    scored = sli.volume(daily([100] * 8), method="zscore").iloc[-1]
    assert (scored["verdict"], scored["why"]) == ("unknown", "no spread")


WEEK = [1000, 1010, 990, 1005, 995, 300, 280]


def test_a_weekend_drop_is_ordinary_and_a_weekday_drop_is_not():
    weeks = WEEK * 8
    weeks[-5] = 500  # a Wednesday
    scored = sli.volume(daily(weeks)).tail(7)
    assert scored["verdict"].tolist() == ["ok", "ok", "fail", "ok", "ok", "ok", "ok"]


def test_zero_rows_fail_by_rule_without_a_score_or_a_history():
    scored = sli.volume(daily([1000, 0])).iloc[-1]
    assert (scored["verdict"], scored["why"]) == ("fail", "zero rows")
    assert np.isnan(scored["score"])


def test_three_same_weekdays_are_not_enough_history():
    verdicts = sli.volume(daily(WEEK * 5))["verdict"]
    assert verdicts[:28].eq("unknown").all()
    assert verdicts[28:].eq("ok").all()


def test_flagged_days_do_not_teach_what_is_normal():
    mondays = [1000] * 4 + [5000] * 5
    weeks = [count for monday in mondays for count in (monday, *WEEK[1:])]
    assert sli.volume(daily(weeks))["verdict"].iloc[28::7].eq("fail").all()


def test_the_score_rests_on_the_past_only():
    weeks = [round(count * (1 + 0.01 * (i % 5))) for i, count in enumerate(WEEK * 8)]
    whole = sli.volume(daily(weeks))
    pd.testing.assert_frame_equal(sli.volume(daily(weeks[:45])), whole.head(45))


def test_a_ripple_over_a_quiet_history_is_no_alarm():
    assert sli.volume(daily([1000] * 35 + [1100]))["verdict"].iloc[-1] == "ok"


def test_a_new_level_is_learned_after_eight_weeks():
    verdicts = sli.volume(daily([1000] * 56 + [3000] * 112))["verdict"]
    assert verdicts[56:63].eq("fail").all()
    assert verdicts.iloc[-7:].eq("ok").all()


def test_a_day_without_a_count_is_unknown_and_a_holiday_is_not_judged():
    counts = [*WEEK * 5, None]
    assert sli.volume(daily(counts))["why"].iloc[-1] == "no count"
    holiday = sli.volume(daily([*WEEK * 5, 10]), holidays=[date(2013, 2, 11)]).iloc[-1]
    assert (holiday["verdict"], holiday["why"]) == ("unknown", "holiday")


def test_an_unknown_method_is_named():
    with pytest.raises(ValueError, match="weekday, zscore"):
        sli.volume(daily([1]), method="magic")


def test_every_sli_is_called_in_the_same_way():
    rows = sli.DataSLI("rows", "Rows of a table", "rows", lambda t, at, con: con[t], "ana")
    assert rows.measure("orders", as_of=START, connection={"orders": 3}) == 3
