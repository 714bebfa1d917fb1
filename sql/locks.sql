-- Time that tasks waited for locks, by lock and by the task that held it when the wait began.
SELECT
  substr(name, length('wait for ') + 1) AS lock,
  extract_arg(arg_set_id, 'debug.holder') AS held_by,
  count(*) AS waits,
  sum(dur) / 1e6 AS total_ms,
  max(dur) / 1e3 AS longest_us
FROM slice
WHERE category = 'lock'
GROUP BY lock, held_by
ORDER BY total_ms DESC
LIMIT 40;
