-- The slowest GPU faults: who raised them, where, how they ended, and how much of the time went into moving pages, other waits and locks.
SELECT
  extract_arg(f.arg_set_id, 'debug.device') AS device,
  extract_arg(f.arg_set_id, 'debug.address') AS address,
  extract_arg(f.arg_set_id, 'debug.errno') AS errno,
  f.ts / 1e3 AS begin_us,
  f.dur / 1e3 AS took_us,
  ifnull(sum(CASE WHEN s.name IN ('migrate to device', 'migrate to RAM', 'evict') THEN s.dur END), 0) / 1e3 AS migrate_us,
  ifnull(sum(CASE WHEN s.name = 'bind' THEN s.dur END), 0) / 1e3 AS bind_us,
  ifnull(sum(CASE WHEN s.category = 'lock' THEN s.dur END), 0) / 1e3 AS locks_us
FROM slice f
LEFT JOIN slice s ON s.track_id = f.track_id AND s.ts >= f.ts AND s.ts + s.dur <= f.ts + f.dur AND s.id != f.id
WHERE f.name = 'GPU fault'
GROUP BY f.id
ORDER BY f.dur DESC
LIMIT 30;
