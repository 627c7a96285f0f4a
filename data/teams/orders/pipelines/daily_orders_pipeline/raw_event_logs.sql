SELECT event_id, user_id, event_at, CAST(event_at AS DATE) AS event_date, channel
FROM raw.event_logs
