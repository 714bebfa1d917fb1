/** Puts waits that are alike together: a hundred faults behind one lock are one line. */

const HOLDERS_SHOWN = 3;

/** Lines such as `gpu.fault#812 waits for vm lock of svm for read, held by munmap#811 for write`; the task that waits first names the others. */
export function groupWaits(lines: readonly string[]): string[] {
  const groups = new Map<string, { task: string; others: number; rest: string }>();
  for (const line of lines) {
    const [, task, rest] = /^(.*?#\d+)( waits for .*)$/.exec(line) ?? [];
    if (task === undefined || rest === undefined) {
      groups.set(line, { task: line, others: 0, rest: '' });
      continue;
    }
    // Who is in the way may change from one to the next; what they wait for does not.
    const key = `${task} ${rest.replace(/, held by .*/, '')}`.replaceAll(/\d+/g, '');
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { task, others: 0, rest: shortened(rest) });
    else group.others++;
  }
  return [...groups.values()].map(({ task, others, rest }) =>
    others === 0 ? `${task}${rest}` : `${task} and ${others} like it${rest.replace(' waits ', ' wait ')}`,
  );
}

/** The first holders, and how many more there are. */
function shortened(wait: string): string {
  const at = wait.indexOf(', held by ');
  if (at < 0) return wait;
  const [, held = '', after = ''] =
    /^(.*?)( \(after .*\))?$/.exec(wait.slice(at + ', held by '.length)) ?? [];
  return `${wait.slice(0, at)}, held by ${firstOf(held.split(', '))}${after}`;
}

/** `a, b, c and 12 more`. */
export function firstOf(names: readonly string[]): string {
  const more = names.length - HOLDERS_SHOWN;
  const shown = names.slice(0, HOLDERS_SHOWN).join(', ');
  return more > 0 ? `${shown} and ${more} more` : shown;
}
