-- Attempts that failed and were made again, by where and by errno.
SELECT name AS place, extract_arg(arg_set_id, 'debug.errno') AS errno, count(*) AS times
FROM slice
WHERE (name IN ('driver.retry', 'gpusvm.getPagesRetry') OR name IN ('HMM walk', 'migrate to device', 'migrate to RAM', 'evict'))
  AND ifnull(extract_arg(arg_set_id, 'debug.errno'), '0') NOT IN ('0')
GROUP BY place, errno
ORDER BY times DESC;
