-- One row per scheduled departure. A flight without a departure time was cancelled: that is a fact, not a gap.
SELECT
    flight_date,
    carrier,
    flight,
    tailnum,
    origin,
    dest,
    sched_dep_time,
    dep_time,
    dep_delay AS dep_delay_minutes,
    arr_delay AS arr_delay_minutes,
    air_time AS air_time_minutes,
    distance AS distance_miles,
    dep_time IS NULL AS is_cancelled
FROM raw.flights
