-- Everything that follows from the slowest fault, across actors: what a device raised, its service, invalidations, who obeyed, the answer.
WITH RECURSIVE
  slowest AS (SELECT id FROM slice WHERE name = 'GPU fault' ORDER BY dur DESC LIMIT 1),
  connected(id) AS (
    SELECT id FROM slowest
    UNION
    SELECT CASE WHEN f.slice_in = c.id THEN f.slice_out ELSE f.slice_in END
    FROM connected c JOIN flow f ON f.slice_in = c.id OR f.slice_out = c.id
  )
SELECT s.ts / 1e3 AS at_us, s.dur / 1e3 AS took_us, p.name AS actor, s.name
FROM connected c
JOIN slice s ON s.id = c.id
JOIN process_track t ON s.track_id = t.id
JOIN process p ON t.upid = p.upid
ORDER BY s.ts, s.id
LIMIT 500;
