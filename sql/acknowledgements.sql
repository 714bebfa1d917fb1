-- How long each device takes to acknowledge a TLB invalidation.
SELECT
  extract_arg(arg_set_id, 'debug.device') AS device,
  count(*) AS acknowledgements,
  avg(extract_arg(arg_set_id, 'debug.ns')) / 1e3 AS mean_us,
  max(extract_arg(arg_set_id, 'debug.ns')) / 1e3 AS longest_us
FROM slice
WHERE name = 'driver.tlbInvalidated'
GROUP BY device
ORDER BY device;
