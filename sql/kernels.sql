-- Kernels of each device, with the faults that were raised while they ran and the time from raising to the answer, added up.
SELECT
  p.name AS device,
  k.ts / 1e3 AS begin_us,
  k.dur / 1e3 AS took_us,
  count(s.id) AS faults_answered,
  ifnull(sum(extract_arg(s.arg_set_id, 'debug.ns')), 0) / 1e3 AS stalled_us
FROM slice k
JOIN process_track t ON k.track_id = t.id
JOIN process p ON t.upid = p.upid
LEFT JOIN slice s ON s.name = 'device.faultServed' AND s.ts BETWEEN k.ts AND k.ts + k.dur
  AND extract_arg(s.arg_set_id, 'debug.device') = extract_arg(k.arg_set_id, 'debug.device')
WHERE k.name = 'kernel'
GROUP BY k.id
ORDER BY k.ts;
