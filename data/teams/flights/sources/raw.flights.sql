-- What the source system hands over for one day: the real departures of that day.
SELECT *
FROM read_parquet(getvariable('data') || '/flights/flights_2013.parquet')
WHERE flight_date = getvariable('day')
