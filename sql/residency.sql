-- When pages came to and left device memory: one row for each migration that moved something, in order of time.
SELECT
  ts / 1e3 AS begin_us,
  (ts + dur) / 1e3 AS end_us,
  name AS migration,
  extract_arg(arg_set_id, 'debug.device') AS device,
  extract_arg(arg_set_id, 'debug.address') AS address,
  extract_arg(arg_set_id, 'debug.pages') AS pages,
  extract_arg(arg_set_id, 'debug.cause') AS cause
FROM slice
WHERE name IN ('migrate to device', 'migrate to RAM', 'evict')
  AND ifnull(extract_arg(arg_set_id, 'debug.errno'), '0') = '0'
  AND ifnull(extract_arg(arg_set_id, 'debug.count'), 1) != 0
ORDER BY ts;
