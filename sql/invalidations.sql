-- What invalidations cost, by their event, with the TLB invalidations that devices acknowledged for them and how long the slowest of these took.
WITH acknowledged AS (
  SELECT i.id, count(a.id) AS times, max(extract_arg(a.arg_set_id, 'debug.ns')) AS slowest
  FROM slice i
  LEFT JOIN slice a
    ON a.name = 'driver.tlbInvalidated' AND a.track_id = i.track_id AND a.ts BETWEEN i.ts AND i.ts + i.dur
  WHERE i.name = 'invalidate'
  GROUP BY i.id
)
SELECT
  extract_arg(i.arg_set_id, 'debug.event') AS event,
  count(*) AS invalidations,
  avg(i.dur) / 1e3 AS mean_us,
  max(i.dur) / 1e3 AS longest_us,
  sum(k.times) AS acknowledgements,
  max(k.slowest) / 1e3 AS slowest_acknowledgement_us
FROM acknowledged k
JOIN slice i ON i.id = k.id
GROUP BY event
ORDER BY invalidations DESC;
