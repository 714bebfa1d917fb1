-- How long messages are on their way, by type: from the sending to the delivery that follows it in the flow.
SELECT
  substr(o.name, length('send ') + 1) AS message,
  count(*) AS messages,
  avg(i.ts - o.ts) / 1e3 AS mean_us,
  max(i.ts - o.ts) / 1e3 AS longest_us
FROM flow f
JOIN slice o ON f.slice_out = o.id
JOIN slice i ON f.slice_in = i.id
WHERE o.name GLOB 'send *' AND i.name = 'receive ' || substr(o.name, length('send ') + 1)
GROUP BY message
ORDER BY messages DESC;
