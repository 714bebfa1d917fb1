-- Device memory in use: the most, and the mean over the time until the counter's last change.
WITH samples AS (
  SELECT p.name AS device, c.ts, c.value, lead(c.ts) OVER (PARTITION BY c.track_id ORDER BY c.ts) - c.ts AS held
  FROM counter c
  JOIN process_counter_track t ON c.track_id = t.id
  JOIN process p ON t.upid = p.upid
  WHERE t.name = 'VRAM pages in use'
)
SELECT device, max(value) * 4 / 1024.0 AS most_mib, 1.0 * sum(value * held) / sum(held) * 4 / 1024.0 AS mean_mib
FROM samples
GROUP BY device
ORDER BY device;
