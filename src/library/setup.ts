/** What a run is made of, as those who use svmsim as a library say it, and how it becomes a configuration. */

import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SEED_MAX } from '../base/seedMax.js';
import { UserError } from '../base/userError.js';
import { loadScenario, scenarioFromText } from '../scenario/loadScenario.js';
import type { ScenarioKeys } from '../scenario/schema.js';
import { describePart, extensionsOf, PARTS, wrongPart } from '../simulation/extensionFile.js';
import type { Extensions } from '../simulation/extensions.js';
import type { ExecutorName, SimulationConfig } from '../simulation/simulationConfig.js';
import { withPrograms } from '../simulation/withPrograms.js';
import { describeGiven, isText, refuseUnknown, requireKeys, requireOptional, requireWhole } from './given.js';

/**
 * A scenario, and code of your own that takes part. Functions work under the `virtual` executor; under `threads` each worker loads the `module` for
 * itself, since functions cannot be sent to it.
 */
export interface Setup extends Extensions {
  /** The keys of a scenario, as in `docs/scenario-reference.md`, or the path of a scenario file. Without it a scenario that has defaults only. */
  readonly scenario?: ScenarioKeys | string;
  /** Each `key.path=value`, the value in YAML: put over the scenario, in order. */
  readonly set?: readonly string[];
  /** In place of what the scenario says; `virtual` where that says nothing. */
  readonly executor?: ExecutorName;
  readonly seed?: number;
  readonly devices?: number;
  /** Invariants that are watched step by step: `all`, `cheap`, `none`, or names such as `I3,M6`; `cheap` unless told. */
  readonly checks?: string;
  /** Path or file URL of an ES module whose default export has some of the keys of {@link Extensions}. */
  readonly module?: string | URL;
}

/** A setup that has been looked at: all that a run needs. */
export interface Configured {
  readonly config: SimulationConfig;
  readonly extensions: Extensions;
}

const IN_CODE = 'scenario';
const DEFAULT_CHECKS = 'cheap';
const DEVICES_MAX = 64;
const EXTENSION_KEYS = ['placement', 'eviction', 'invalidation', 'prefetch', 'drivers', 'programs'];
const SETUP_KEYS = ['scenario', 'set', 'executor', 'seed', 'devices', 'checks', 'module', ...EXTENSION_KEYS];

/** @throws UserError for the first mistake: which key, what was found, what is allowed. */
export async function configure(setup: Setup): Promise<Configured> {
  checkSetup(setup);
  const base = loadConfig(setup);
  const module = await extensionsOf(base);
  const own = ownCode(setup);
  const [ownKey] = Object.keys(own);
  if (ownKey !== undefined && base.executor === 'threads') {
    throw new UserError({
      where: 'setup',
      key: ownKey,
      found: 'functions with executor threads',
      allowed: 'executor virtual, or a module that the threads can load',
    });
  }
  const extensions = { ...module, ...own };
  const config = withPrograms(base, extensions.programs, 'setup');
  return { config: ownKey === undefined ? config : withoutModule(config), extensions };
}

/** Code of both comes together in one run: what it does wrong is told by the name of the part, not by a file that it may not stand in. */
function withoutModule({ policyFile: _, ...config }: SimulationConfig): SimulationConfig {
  return config;
}

/** Callers without types get their mistakes said too. */
function checkSetup(setup: Setup): void {
  requireSetup(setup);
  refuseUnknown('setup', setup, SETUP_KEYS);
  const code: Readonly<Record<string, unknown>> = { ...ownCode(setup) };
  const wrong = wrongPart(code);
  if (wrong !== null)
    throw new UserError({
      where: 'setup',
      key: wrong,
      found: describePart(code[wrong]),
      allowed: PARTS,
    });
  const { scenario = {}, seed, devices, set, checks, module } = setup;
  if (typeof scenario !== 'string')
    requireKeys(
      'setup',
      'scenario',
      scenario,
      'the path of a scenario file, or an object with the keys of one',
    );
  requireWhole('setup', 'seed', seed, 0, SEED_MAX);
  requireWhole('setup', 'devices', devices, 1, DEVICES_MAX);
  const isTexts = (value: unknown): boolean => Array.isArray(value) && value.every(isText);
  requireOptional('setup', 'set', set, isTexts, 'a list of texts such as devices.count=4');
  requireOptional('setup', 'checks', checks, isText, 'all, cheap, none, or names such as I3,M6 in one text');
  requireOptional('setup', 'module', module, isModule, 'the path or the file URL of an ES module');
}

function isModule(module: unknown): boolean {
  if (module instanceof URL) return module.protocol === 'file:';
  return isText(module);
}

/** @throws UserError for a setup that is none, or asks for threads where schedules are chosen. */
export function requireVirtual(where: string, setup: Setup): void {
  requireSetup(setup);
  const { executor } = setup;
  if (executor === undefined || executor === 'virtual') return;
  throw new UserError({
    where,
    key: 'executor',
    found: String(executor),
    allowed: 'virtual: nothing else can be driven step by step',
  });
}

function loadConfig(setup: Setup): SimulationConfig {
  const { scenario = {}, checks = DEFAULT_CHECKS, executor, seed, devices, set, module } = setup;
  const overrides = {
    checks,
    isSetup: true,
    executorOtherwise: 'virtual',
    ...(executor === undefined ? {} : { executor }),
    ...(seed === undefined ? {} : { seed }),
    ...(devices === undefined ? {} : { devices }),
    ...(set === undefined ? {} : { set }),
    ...(module === undefined ? {} : { policy: pathOf(module) }),
  };
  if (typeof scenario === 'string') return loadScenario(scenario, overrides);
  return scenarioFromText(IN_CODE, textOf(scenario), overrides);
}

/** What JSON has no words for is said in others, for the schema to refuse by its key. @throws UserError for what has itself within itself. */
function textOf(scenario: ScenarioKeys): string {
  try {
    return JSON.stringify(scenario, (_, value: unknown) => (isData(value) ? value : describeGiven(value)));
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error);
    throw new UserError({ where: 'setup', key: 'scenario', found, allowed: 'plain data' });
  }
}

/** JSON has words for it, or leaves it out because it is nothing. */
function isData(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value === 'object' && value !== null)
    return [Object.prototype, Array.prototype, null].includes(Object.getPrototypeOf(value));
  return value === null || ['undefined', 'string', 'boolean'].includes(typeof value);
}

/** @throws UserError */
function requireSetup(setup: unknown): void {
  requireKeys('setup', null, setup, `an object with some of the keys ${SETUP_KEYS.join(', ')}`);
}

function pathOf(module: string | URL): string {
  const isUrl = module instanceof URL || module.startsWith('file:');
  return isUrl ? fileURLToPath(module) : resolve(module);
}

/** What of the setup is code. */
function ownCode({ placement, eviction, invalidation, prefetch, drivers, programs }: Setup): Extensions {
  return {
    ...(placement === undefined ? {} : { placement }),
    ...(eviction === undefined ? {} : { eviction }),
    ...(invalidation === undefined ? {} : { invalidation }),
    ...(prefetch === undefined ? {} : { prefetch }),
    ...(drivers === undefined ? {} : { drivers }),
    ...(programs === undefined ? {} : { programs }),
  };
}
