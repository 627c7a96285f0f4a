SELECT
    flight_date,
    carrier,
    count(*) AS scheduled,
    count(dep_delay_minutes) AS departed,
    avg(dep_delay_minutes) AS mean_dep_delay_minutes,
    median(dep_delay_minutes) AS median_dep_delay_minutes
FROM fct_flights
WHERE flight_date = getvariable('day')
GROUP BY flight_date, carrier
ORDER BY carrier
