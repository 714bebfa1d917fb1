-- What migrations and invalidations are made of: the share of each phase. A phase is a slice right within that of which it is a part.
SELECT
  whole.name AS whole,
  part.name AS phase,
  count(*) AS times,
  avg(part.dur) / 1e3 AS mean_us,
  100.0 * sum(part.dur) / sum(sum(part.dur)) OVER (PARTITION BY whole.name) AS percent
FROM slice part
JOIN slice whole ON part.parent_id = whole.id
WHERE whole.name IN ('migrate to device', 'migrate to RAM', 'evict', 'invalidate')
  AND part.name IN ('collect, unmap and invalidate', 'allocate', 'copy', 'remap', 'callbacks', 'change entries')
GROUP BY whole.name, part.name
ORDER BY whole.name, percent DESC;
