SELECT order_id, user_id, ordered_at, order_date, amount_usd, status
FROM stg_orders
