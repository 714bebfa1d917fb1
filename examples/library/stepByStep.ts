/** A run that is driven by hand: stops at the first migration to a device, and looks at the page that moved. */

import { formatVpn, SteppedRun, stepDefinition, type Vpn } from 'svmsim';

/** What there was to see, line by line. */
export async function watchFirstMigration(seed: number): Promise<string[]> {
  const run = await SteppedRun.start({
    scenario: {
      ram: '16MiB',
      devices: { count: 2, vram: '8MiB' },
      workloads: [{ kind: 'saxpy', elements: 4096, rounds: 1 }],
    },
    seed,
  });
  const lines: string[] = [];

  let migrated: Vpn | null = null;
  run.onStep({
    onStep: (_task, step, page) => {
      if (stepDefinition(step).name === 'pagemap.toDevmemDone') migrated ??= page as Vpn;
    },
  });
  run.run(() => migrated !== null);
  if (migrated === null) return ['nothing migrates'];
  lines.push(
    `after ${run.steps} steps, ${Math.round(run.now)} ns: ${formatVpn(migrated)} has moved`,
    ...run.page(migrated),
  );
  for (const { name, actor, waitsFor } of run.tasks()) {
    if (waitsFor !== null) lines.push(`${actor}: ${name} waits for ${waitsFor}`);
  }

  // To the end: then every byte is compared, and nothing may be left.
  while (run.step());
  const checks = [...run.verify(), ...run.tearDown()];
  const failed = checks.filter(({ ok }) => !ok);
  lines.push(`${run.results[0].detail}; ${checks.length} checks, ${failed.length} failed`);
  return lines;
}
