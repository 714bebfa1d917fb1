-- Why pages moved: tries, failures, pages and time by kind of migration and cause.
SELECT
  name AS migration,
  extract_arg(arg_set_id, 'debug.cause') AS cause,
  count(*) AS tries,
  sum(ifnull(extract_arg(arg_set_id, 'debug.errno'), '0') NOT IN ('0')) AS failed,
  sum(iif(ifnull(extract_arg(arg_set_id, 'debug.count'), 1) != 0, extract_arg(arg_set_id, 'debug.pages'), 0)) AS pages,
  sum(dur) / 1e6 AS total_ms,
  avg(dur) / 1e3 AS mean_us
FROM slice
WHERE category = 'migration' AND name IN ('migrate to device', 'migrate to RAM', 'evict')
GROUP BY migration, cause
ORDER BY total_ms DESC;
