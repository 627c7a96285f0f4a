-- Days and airports where departed and cancelled flights are not all that were scheduled.
SELECT
    flight_date,
    origin,
    scheduled,
    departed,
    cancelled
FROM fct_daily_departures
WHERE scheduled <> departed + cancelled
