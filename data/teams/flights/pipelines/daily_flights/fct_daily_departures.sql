SELECT
    flight_date,
    origin,
    count(*) AS scheduled,
    count(*) FILTER (WHERE NOT is_cancelled) AS departed,
    count(*) FILTER (WHERE is_cancelled) AS cancelled
FROM fct_flights
WHERE flight_date = getvariable('day')
GROUP BY flight_date, origin
ORDER BY origin
