/** Puts what was typed on the command line, or said in a setup of the library, over what a scenario file says. */

import { resolve } from 'node:path';
import { parseDocument } from 'yaml';
import { UserError } from '../base/userError.js';
import { loadClasses } from '../workload/workloadConfig.js';
import { showValue } from './keys.js';
import { PLAIN_YAML } from './plainYaml.js';
import { isPlainMap, type KeyPath, valueAt, type YamlSource } from './yamlSource.js';

/** How a load without a rate is typed in a scenario. */
export const FREE = 'free';

/** Texts are as typed: the schema checks them like those of the file. */
export interface ScenarioOverrides {
  readonly executor?: string;
  readonly seed?: string | number;
  readonly devices?: string | number;
  readonly layout?: string;
  /** A name in config/presets, or a path from the working directory. */
  readonly preset?: string;
  /** Loads in place of those of the scenario, by name, each with its rate as typed. */
  readonly loads?: Readonly<Record<string, string>>;
  /** Every operation of a load is verified. */
  readonly verifiesLoads?: boolean;
  /** Infinity: without an end. */
  readonly durationMs?: number;
  /** Which invariants are watched step by step; none unless told. */
  readonly checks?: string;
  /** A module with policies, from the working directory; only the command line names one, since it is code that runs. */
  readonly policy?: string;
  /** Each `key.path=value`, the value in YAML; a list item is named by its index, its name or, if it is the only one, its kind. */
  readonly set?: readonly string[];
  /** Where the scenario says none, and nobody else does. */
  readonly executorOtherwise?: string;
  /** They come from a caller of the library, to whom no message may speak of options. */
  readonly isSetup?: boolean;
}

const overrideKeys: Readonly<Record<keyof ScenarioOverrides, true>> = {
  executor: true,
  seed: true,
  devices: true,
  layout: true,
  preset: true,
  loads: true,
  verifiesLoads: true,
  durationMs: true,
  checks: true,
  policy: true,
  set: true,
  executorOtherwise: true,
  isSetup: true,
};

/** Of options that have more, only what changes a scenario: plain data, for another thread. */
export function overridesOf(options: ScenarioOverrides): ScenarioOverrides {
  return Object.fromEntries(
    Object.entries(options).filter(([key, value]) => Object.hasOwn(overrideKeys, key) && value !== undefined),
  );
}

/** `--set` first, in order, then the options that have a name of their own. @throws UserError for a `--set` that names nothing, or speaks against an option. */
export function applyOverrides(source: YamlSource, overrides: ScenarioOverrides): void {
  const { set = [], isSetup = false } = overrides;
  for (const assignment of set) applyAssignment(source, assignment, isSetup);
  const { executor, seed, devices, layout, preset, durationMs, executorOtherwise } = overrides;
  if (executor !== undefined)
    putOption(source, overrides, ['executor'], executor, named('executor', executor, isSetup));
  else if (executorOtherwise !== undefined && valueAt(source.value, ['executor']) === undefined)
    put(source, ['executor'], executorOtherwise, 'the default');
  if (seed !== undefined)
    putOption(source, overrides, ['seed'], numberOf(seed), named('seed', seed, isSetup));
  if (devices !== undefined) {
    const option = named('devices', devices, isSetup);
    putOption(source, overrides, ['devices', 'count'], numberOf(devices), option);
  }
  if (layout !== undefined) putOption(source, overrides, ['svm', 'layout'], layout, `--layout ${layout}`);
  if (preset !== undefined) {
    const found = /\.ya?ml$/.test(preset) ? resolve(preset) : preset;
    putOption(source, overrides, ['cost', 'preset'], found, `--preset ${preset}`);
  }
  if (overrides.loads !== undefined) putLoads(source, set, overrides.loads);
  if (overrides.verifiesLoads === true) put(source, ['loads', 'verify'], true, '--verify');
  if (durationMs !== undefined)
    putOption(source, overrides, ['duration'], durationOf(durationMs), `--seconds ${durationMs / 1000}`);
}

/** As messages call it: with what was typed, or by its place in a setup. */
function named(option: string, value: string | number, isSetup: boolean): string {
  return isSetup ? `setup.${option}` : `--${option} ${value}`;
}

/** @throws UserError where a `--set` says something else of the same key. */
function putOption(
  source: YamlSource,
  { set = [], isSetup = false }: ScenarioOverrides,
  path: KeyPath,
  value: unknown,
  option: string,
): void {
  const key = path.join('.');
  const other = set.find((assignment) => assignment.split('=')[0].trim() === key);
  if (other !== undefined && valueAt(source.value, path) !== value)
    throw new UserError({
      where: option,
      key,
      found: `${isSetup ? 'set: ' : '--set '}${other} beside it`,
      allowed: 'one of the two',
    });
  put(source, path, value, option);
}

/** The key of a `--set` that speaks of loads. */
function loadKeyOf(assignment: string): string | null {
  const key = assignment.split('=')[0].trim();
  const [section, load] = key.split('.');
  const isWhole = section === 'invalidation' || section === 'join-leave';
  const isLoad = section === 'loads' && (load === undefined || loadClasses.some((one) => one === load));
  return isWhole || isLoad ? key : null;
}

/** The sections that are short for loads give way; keys of `loads` that are no loads stay. */
function putLoads(source: YamlSource, set: readonly string[], loads: Readonly<Record<string, string>>): void {
  for (const assignment of set) {
    const key = loadKeyOf(assignment);
    const found = `--set ${assignment} beside it`;
    if (key !== null) throw new UserError({ where: '--load', key, found, allowed: 'one of the two' });
  }
  if (isPlainMap(source.value)) {
    delete source.value.invalidation;
    delete source.value['join-leave'];
    const old = source.value.loads;
    if (isPlainMap(old)) for (const load of loadClasses) delete old[load];
  }
  for (const [load, rate] of Object.entries(loads)) {
    put(source, ['loads', load], rate, `--load ${load}${rate === FREE ? '' : `=${rate}`}`);
  }
}

function applyAssignment(source: YamlSource, assignment: string, isSetup: boolean): void {
  const option = `${isSetup ? 'setup.set' : '--set'} ${assignment}`;
  const equals = assignment.indexOf('=');
  const segments = assignment.slice(0, Math.max(0, equals)).trim().split('.');
  if (equals < 0 || segments.includes('')) {
    throw new UserError({
      where: option,
      found: assignment === '' ? 'nothing' : assignment,
      allowed: 'key.path=value, such as devices.vram=128MiB',
    });
  }
  const value = parseValue(assignment.slice(equals + 1), option, segments.join('.'));
  put(source, pathOf(source, segments, option), value, option);
}

function parseValue(yaml: string, option: string, key: string): unknown {
  const document = parseDocument(yaml, PLAIN_YAML);
  const [error] = [...document.errors, ...document.warnings];
  if (error !== undefined) {
    throw new UserError({
      where: option,
      key,
      found: `a YAML syntax error: ${error.message}`,
      allowed: 'well-formed YAML',
    });
  }
  try {
    return document.toJS();
  } catch {
    throw new UserError({ where: option, key, found: yaml, allowed: 'a value without aliases' });
  }
}

/** The segments with list items turned into indexes. */
function pathOf(source: YamlSource, segments: readonly string[], option: string): KeyPath {
  const path: (string | number)[] = [];
  for (const segment of segments) {
    const parent = valueAt(source.value, path);
    path.push(
      Array.isArray(parent) ? indexOf(parent, segment, { option, key: segments.join('.') }) : segment,
    );
  }
  return path;
}

function indexOf(items: readonly unknown[], segment: string, at: { option: string; key: string }): number {
  if (/^\d+$/.test(segment) && Number(segment) < items.length) return Number(segment);
  for (const field of ['name', 'kind']) {
    const named = items.flatMap((item, i) => (isPlainMap(item) && item[field] === segment ? [i] : []));
    if (named.length === 1) return named[0];
  }
  const names = items.flatMap((item) => (isPlainMap(item) ? [showValue(item.name ?? item.kind)] : []));
  const range =
    items.length === 0 ? 'no item, since the list is empty' : `an index from 0 to ${items.length - 1}`;
  throw new UserError({
    where: at.option,
    key: at.key,
    found: `item ${segment}`,
    allowed:
      names.length === 0 ? range : `${range}, or a name or kind that stands there once: ${names.join(', ')}`,
  });
}

/** Maps on the way are made where there is nothing. */
function put(source: YamlSource, path: KeyPath, value: unknown, option: string): void {
  let parent = source.value;
  path.forEach((segment, i) => {
    const before = valueAt(parent, [segment]);
    const child = i === path.length - 1 ? value : (before ?? {});
    if (Array.isArray(parent)) parent[Number(segment)] = child;
    else if (isPlainMap(parent)) define(parent, String(segment), child);
    else throw notAMap(path, i, parent, option);
    if (before === undefined || child === value) source.markOption(path.slice(0, i + 1), option);
    parent = child;
  });
}

/** Not by assignment, which would take `__proto__` for something else than a key. */
function define(map: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(map, key, { value, writable: true, enumerable: true, configurable: true });
}

function notAMap(path: KeyPath, depth: number, parent: unknown, option: string): UserError {
  const above = path.slice(0, depth).join('.');
  return new UserError({
    where: option,
    key: path.join('.'),
    found: `'${above}', which is ${showValue(parent)}`,
    allowed: 'a key below a map',
  });
}

/** A number where the text is one; otherwise the text, for the schema to refuse. */
function numberOf(typed: string | number): string | number {
  return typeof typed === 'string' && /^-?\d+(\.\d+)?$/.test(typed) ? Number(typed) : typed;
}

function durationOf(durationMs: number): string {
  return durationMs === Number.POSITIVE_INFINITY ? 'unlimited' : `${durationMs}ms`;
}
