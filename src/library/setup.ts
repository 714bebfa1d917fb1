/** What a run is made of, as those who use svmsim as a library say it, and how it becomes a configuration. */

import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SEED_MAX } from '../base/seedMax.js';
import { UserError } from '../base/userError.js';
import { didYouMean } from '../scenario/didYouMean.js';
import { loadScenario, scenarioFromText } from '../scenario/loadScenario.js';
import type { ScenarioKeys } from '../scenario/schema.js';
import { describePart, extensionsOf, PARTS, wrongPart } from '../simulation/extensionFile.js';
import type { Extensions } from '../simulation/extensions.js';
import type { ExecutorName, SimulationConfig } from '../simulation/simulationConfig.js';
import { withPrograms } from '../simulation/withPrograms.js';

/**
 * A scenario, and code of your own that takes part. Functions work under the `virtual` executor; under `threads` each worker loads the `module` for
 * itself, since functions cannot be sent to it.
 */
export interface Setup extends Extensions {
  /** The keys of a scenario, as in `docs/scenario-reference.md`, or the path of a scenario file. Without it a scenario that has defaults only. */
  readonly scenario?: ScenarioKeys | string;
  /** As `--set`: `key.path=value`, in YAML. */
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
  const extensions = { ...module, ...ownCode(setup) };
  const config = withPrograms(base, extensions.programs, 'setup');
  if (config.executor === 'threads' && Object.keys(ownCode(setup)).length > 0) {
    throw new UserError({
      where: 'setup',
      key: Object.keys(ownCode(setup))[0],
      found: 'functions with executor threads',
      allowed: 'executor virtual, or a module that the threads can load',
    });
  }
  return { config, extensions };
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
  const { scenario = {}, seed, devices } = setup;
  if (typeof scenario !== 'string')
    requireKeys(scenario, 'scenario', 'the path of a scenario file, or an object with the keys of one');
  if (seed !== undefined) requireWhole('setup', 'seed', seed, 0, SEED_MAX);
  if (devices !== undefined) requireWhole('setup', 'devices', devices, 1, DEVICES_MAX);
}

/** @throws UserError for a key that would change nothing. */
export function refuseUnknown(where: string, given: object, known: readonly string[]): void {
  const unknown = Object.keys(given).find((key) => !known.includes(key));
  if (unknown === undefined) return;
  const meant = didYouMean(unknown, known);
  const hint = meant === null ? {} : { hint: `did you mean '${meant}'?` };
  throw new UserError({
    where,
    key: unknown,
    found: 'an unknown key',
    allowed: known.join(', '),
    ...hint,
  });
}

/** @throws UserError */
export function requireWhole(where: string, key: string, value: unknown, min: number, max: number): void {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max) return;
  throw new UserError({ where, key, found: String(value), allowed: `a whole number from ${min} to ${max}` });
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
    ...(executor === undefined ? {} : { executor }),
    ...(seed === undefined ? {} : { seed }),
    ...(devices === undefined ? {} : { devices }),
    ...(set === undefined ? {} : { set }),
    ...(module === undefined ? {} : { policy: pathOf(module) }),
  };
  if (typeof scenario === 'string') return loadScenario(scenario, overrides);
  const keys = { executor: 'virtual', ...scenario };
  return scenarioFromText(IN_CODE, JSON.stringify(keys), overrides);
}

/** @throws UserError */
function requireSetup(setup: unknown): void {
  requireKeys(setup, null, `an object with some of the keys ${SETUP_KEYS.join(', ')}`);
}

/** @throws UserError for anything but a map from keys to values. */
function requireKeys(value: unknown, key: string | null, allowed: string): void {
  const isObject = typeof value === 'object' && value !== null;
  if (isObject && !Array.isArray(value) && !(value instanceof URL)) return;
  const found = Array.isArray(value) ? 'a list' : String(value);
  throw new UserError({ where: 'setup', ...(key === null ? {} : { key }), found, allowed });
}

function pathOf(module: string | URL): string {
  return module instanceof URL ? fileURLToPath(module) : resolve(module);
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
