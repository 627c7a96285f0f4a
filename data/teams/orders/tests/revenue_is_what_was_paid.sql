-- Days whose revenue is not the sum of that day's paid orders.
SELECT
    r.order_date,
    r.revenue_usd,
    sum(o.amount_usd) AS paid_usd
FROM fct_daily_revenue AS r
LEFT JOIN fct_orders AS o
    ON r.order_date = o.order_date AND o.status = 'paid'
GROUP BY r.order_date, r.revenue_usd
HAVING r.revenue_usd IS DISTINCT FROM paid_usd
