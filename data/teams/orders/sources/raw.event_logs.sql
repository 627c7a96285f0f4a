-- Generated, not real: page views with the channel that brought the visitor, about 2,500 a day.
WITH
numbered AS (
    SELECT
        getvariable('day') AS event_date,
        unnest(range(2300 + CAST(md5_number_lower(concat('events', getvariable('day'))) % 400 AS BIGINT))) AS i
)
SELECT
    CAST(date_diff('day', DATE '2013-01-01', event_date) * 10000 + i + 1 AS BIGINT) AS event_id,
    CAST(1 + md5_number_lower(concat('visitor', event_date, i)) % 2000 AS INTEGER) AS user_id,
    CAST(event_date AS TIMESTAMP)
        + to_seconds(CAST(md5_number_lower(concat('moment', event_date, i)) % 86400 AS BIGINT)) AS event_at,
    ['search', 'email', 'social', 'direct', 'partner'][1 + CAST(md5_number_lower(concat('channel', event_date, i)) % 5 AS BIGINT)]
        AS channel
FROM numbered
ORDER BY event_id
