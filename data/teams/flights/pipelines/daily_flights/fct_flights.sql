SELECT *
FROM stg.flights
ORDER BY origin, sched_dep_time, carrier, flight
