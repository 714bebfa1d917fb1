/** `svmsim explore --swarm`: explores made-up scenarios, one after the other. */

import { resolve } from 'node:path';
import { UserError } from '../base/userError.js';
import { loadOwnCode } from '../explore/ownCode.js';
import { subjectOf } from '../explore/subject.js';
import { randomScenario, type SwarmChoices } from '../explore/swarm/randomScenario.js';
import { SCENARIO_SCHEDULES, Swarm, type SwarmLimits, type SwarmReport } from '../explore/swarm/swarm.js';
import { requireCheckers } from '../explore/target.js';
import { StatusLine } from '../report/statusLine.js';
import { swarmDocument, swarmText, swarmTotals } from '../report/swarmReport.js';
import { plural } from '../report/units.js';
import { layouts } from '../simulation/simulationConfig.js';
import type { CliHost } from './cliHost.js';
import { commandLine } from './commandLine.js';
import { deliver } from './deliver.js';
import type { ExitStatus } from './exitStatus.js';
import {
  failureOutput,
  jobsOf,
  type KeptOptions,
  keepFailure,
  limitsOf,
  statusOfSearch,
} from './exploreCommand.js';
import type { ExploreOptions } from './exploreOptions.js';
import { bugNamed, refuseExecutor } from './exploreSource.js';
import { refusal, wholeNumber } from './optionValues.js';
import { ResultOutput } from './resultOutput.js';

/** More make a scenario that is not small. */
const DEVICES_MAX = 16;

export async function swarmCommand(
  file: string | undefined,
  options: KeptOptions,
  host: CliHost,
): Promise<ExitStatus> {
  if (file !== undefined)
    throw new UserError({ where: '--swarm', found: file, allowed: 'no file: it makes up its scenarios' });
  if (options.filter !== undefined)
    throw refusal(`--filter ${options.filter}`, '--swarm', 'a case file: a swarm makes up its scenarios');
  const output = new ResultOutput(host, options.json);
  const failureFile = failureOutput(options);
  const limits = await swarmLimits(options);
  const startMs = host.nowMs();
  const report = await search(limits, options, host);
  const found = report.scenarios.find(({ finding }) => finding !== null);
  const kept =
    found?.finding == null
      ? { replay: null, shrunk: null, turns: null }
      : await keepFailure(found.finding, { ...found.target, ...limits.own }, options, failureFile, host);
  const { seed, bug, own } = limits;
  const context = { seed, bug, own, wallMs: host.nowMs() - startMs, ...kept };
  const again = (seed: number): string => againCommand(seed, options);
  const table = (): string => swarmText(report, context, again);
  return deliver(
    host,
    statusOfSearch(found !== undefined, { ...swarmTotals(report), isPartial: report.isPartial }),
    [() => output.publish(table, () => swarmDocument(report, context, again, host.environment()))],
  );
}

async function swarmLimits(options: ExploreOptions): Promise<SwarmLimits> {
  const { checks = 'all' } = options;
  requireCheckers(checks);
  const bug = bugNamed(options.bug)?.id ?? null;
  const limits = limitsOf(options);
  const choices = choicesOf(options);
  const set = options.set ?? [];
  refuseExecutor(set);
  const own = options.policy === undefined ? {} : await loadOwnCode(resolve(options.policy));
  // A mistake is told before workers start, by this thread.
  subjectOf({ ...randomScenario(limits.seed, choices).source, set }, own);
  return { ...limits, checks, bug, choices, set, own };
}

function choicesOf({ devices, layout }: ExploreOptions): SwarmChoices {
  return {
    devices: devices === undefined ? null : wholeNumber('--devices', devices, 1, DEVICES_MAX),
    layout: layouts.find((name) => name === layout) ?? null,
  };
}

/** One scenario alone, with everything that decided how it went. */
function againCommand(seed: number, options: ExploreOptions): string {
  const { devices, layout, strategy, bug, checks, policy, set = [] } = options;
  const words = [
    'svmsim',
    'explore',
    '--swarm',
    '--seed',
    String(seed),
    '--schedules',
    String(SCENARIO_SCHEDULES),
  ];
  const more = { devices, layout, strategy, bug, checks, policy };
  for (const [name, value] of Object.entries(more)) if (value !== undefined) words.push(`--${name}`, value);
  words.push(...set.flatMap((assignment) => ['--set', assignment]));
  return commandLine(words);
}

async function search(limits: SwarmLimits, options: ExploreOptions, host: CliHost): Promise<SwarmReport> {
  const status = new StatusLine(host.stderr, options.quiet === true);
  const jobs = jobsOf(options, host);
  const pool = await host.simulator.openExplorePool(jobs, limits.own.policyFile !== undefined);
  try {
    const swarm = new Swarm(
      limits,
      (block, signal) => pool.run({ block, stopAtFirst: true }, signal),
      () => host.nowMs(),
      (scenarios) => status.show(plural(scenarios, 'scenario')),
    );
    return await host.interruptible(
      (signal) => swarm.run(jobs, signal),
      () => status.note('svmsim: stopping; once more to kill'),
    );
  } finally {
    status.clear();
    await pool.close();
  }
}
