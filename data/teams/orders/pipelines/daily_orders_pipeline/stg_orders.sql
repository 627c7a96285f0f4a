SELECT
    order_id,
    user_id,
    ordered_at,
    CAST(ordered_at AS DATE) AS order_date,
    amount_usd,
    status
FROM raw.orders
