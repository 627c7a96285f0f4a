-- Generated, not real: about 900 orders on a weekday, fewer at weekends, growing by 0.2 % a day.
-- md5 gives the same "random" digits on every machine and in every DuckDB version.
WITH
volume AS (
    SELECT
        getvariable('day') AS order_date,
        date_diff('day', DATE '2013-01-01', getvariable('day')) AS age_days,
        (md5_number_lower(concat('volume', getvariable('day'))) % 1000) / 1000.0 AS chance
),
sized AS (
    SELECT
        order_date,
        CAST(
            900 * (1 + 0.002 * age_days)
            * (CASE WHEN isodow(order_date) >= 6 THEN 0.7 ELSE 1.0 END)
            * (0.95 + 0.1 * chance)
            AS BIGINT
        ) AS orders
    FROM volume
),
numbered AS (
    SELECT order_date, unnest(range(orders)) AS i
    FROM sized
),
drawn AS (
    SELECT
        order_date,
        i,
        md5_number_lower(concat('user', order_date, i)) AS user_digits,
        md5_number_lower(concat('second', order_date, i)) AS second_digits,
        md5_number_lower(concat('amount', order_date, i)) AS amount_digits,
        md5_number_lower(concat('status', order_date, i)) AS status_digits
    FROM numbered
)
SELECT
    CAST(date_diff('day', DATE '2013-01-01', order_date) * 10000 + i + 1 AS BIGINT) AS order_id,
    CAST(1 + user_digits % 2000 AS INTEGER) AS user_id,
    CAST(order_date AS TIMESTAMP) + to_seconds(CAST(second_digits % 86400 AS BIGINT)) AS ordered_at,
    CAST(5 + exp(1.5 + 2.5 * ((amount_digits % 10000) / 10000.0)) AS DECIMAL(10, 2)) AS amount_usd,
    CASE WHEN status_digits % 100 < 94 THEN 'paid' WHEN status_digits % 100 < 98 THEN 'refunded' ELSE 'cancelled' END
        AS status
FROM drawn
ORDER BY order_id
