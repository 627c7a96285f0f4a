-- Last touch of the same day: the channel of the visitor's latest event before the order.
WITH
orders_of_day AS (
    SELECT order_id, user_id, ordered_at, order_date, amount_usd
    FROM fct_orders
    WHERE order_date = getvariable('day') AND status = 'paid'
),
touched AS (
    SELECT
        o.order_id,
        o.order_date,
        o.amount_usd,
        coalesce(arg_max(e.channel, e.event_at), 'unattributed') AS channel
    FROM orders_of_day AS o
    LEFT JOIN raw_event_logs AS e
        ON e.user_id = o.user_id AND e.event_at <= o.ordered_at AND e.event_date = o.order_date
    GROUP BY o.order_id, o.order_date, o.amount_usd
)
SELECT order_date, channel, count(*) AS orders, sum(amount_usd) AS revenue_usd
FROM touched
GROUP BY order_date, channel
ORDER BY channel
