SELECT
    order_date,
    count(*) AS orders,
    count(*) FILTER (WHERE status = 'paid') AS paid_orders,
    sum(amount_usd) FILTER (WHERE status = 'paid') AS revenue_usd
FROM fct_orders
WHERE order_date = getvariable('day')
GROUP BY order_date
