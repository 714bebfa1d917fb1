-- What each link of each device has carried, and how fast from the end of the first piece to that of the last.
SELECT
  p.name AS device,
  substr(t.name, 1, length(t.name) - length(': bytes carried')) AS link,
  max(c.value) / (1024.0 * 1024.0) AS mib,
  1.0 * (max(c.value) - min(c.value)) / nullif(max(c.ts) - min(c.ts), 0) AS gb_per_s
FROM counter c
JOIN process_counter_track t ON c.track_id = t.id
JOIN process p ON t.upid = p.upid
WHERE t.name GLOB '*: bytes carried'
GROUP BY device, link
ORDER BY mib DESC;
