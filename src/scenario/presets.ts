/** Cost presets: files of numbers that each name their source, and that may stand on one another. */

import { existsSync, readdirSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assert } from '../base/assert.js';
import { didYouMean } from '../base/didYouMean.js';
import { UserError } from '../base/userError.js';
import type { FigureName } from '../simulation/calibrate/figures.js';
import { checkShape } from './checkShape.js';
import { type CostKeyName, type CostNumbers, type CostValue, eachCostKey } from './costKeys.js';
import {
  type DeviceKeyName,
  eachDeviceKey,
  type PresetKeyName,
  presetSchema,
  wholePresetSchema,
} from './presetSchema.js';
import { type FileReference, placeOf } from './readTextFile.js';
import { filesOnDisk, pathFrom, type ScenarioFiles } from './scenarioFiles.js';
import { shortestPath } from './shortestPath.js';
import { YamlSource } from './yamlSource.js';

const PRESET_BYTES_MAX = 2 ** 18;
const WHAT = 'a cost preset: a YAML map with name and numbers';

/** A published figure that a preset is held against. */
export interface Claim {
  readonly figure: FigureName;
  /** Numbers that were chosen so that it comes out; none where it is predicted. */
  readonly fitted: readonly PresetKeyName[];
  /** Why the model does not give what was published; null where it does. */
  readonly notMet: string | null;
}

export interface CostPreset {
  readonly name: string;
  readonly description: string;
  readonly numbers: CostNumbers;
  /** Where each number comes from. */
  readonly sources: Readonly<Record<CostKeyName, string>>;
  /** Of each device. */
  readonly devices: Readonly<Record<DeviceKeyName, number>>;
  /** Of the preset itself, not of those that it stands on. */
  readonly claims: readonly Claim[];
}

/** One number of a file. */
interface Sourced<T> {
  readonly value: T;
  readonly source: string;
}

/** A file as it is written: what it leaves out it takes from the one that it extends. */
interface PresetFile {
  readonly name: string;
  readonly description?: string | undefined;
  readonly numbers: Readonly<Partial<Record<CostKeyName, Sourced<CostValue> | undefined>>>;
  readonly devices: Readonly<Partial<Record<DeviceKeyName, Sourced<number> | undefined>>>;
  readonly claims: readonly {
    readonly figure: FigureName;
    readonly fitted: readonly PresetKeyName[];
    readonly 'not-met'?: string | undefined;
  }[];
  readonly source: YamlSource;
}

/**
 * `preset` is a name in config/presets, or a path ending in .yaml, relative to `baseDir`. Those with a name are part of the program; `files` has the
 * others.
 *
 * @throws UserError for a preset that is not there, is malformed, or stands on itself.
 */
export function loadPreset(
  preset: string,
  baseDir: string,
  namedBy?: FileReference,
  files: ScenarioFiles = filesOnDisk,
): CostPreset {
  const chain = readChain({ preset, baseDir, namedBy }, files);
  const [own] = chain;
  const numbers = eachCostKey((key) => firstOf(chain.map((file) => file.numbers[key])));
  const devices = eachDeviceKey((key) => firstOf(chain.map((file) => file.devices[key])));
  refuseSmallBuffer(chain, devices['fault-batch'].value, devices['fault-buffer'].value);
  return {
    name: own.name,
    description: own.description ?? '',
    numbers: eachCostKey((key) => numbers[key].value),
    sources: eachCostKey((key) => numbers[key].source),
    devices: eachDeviceKey((key) => devices[key].value),
    claims: own.claims.map(({ figure, fitted, 'not-met': notMet }) => ({
      figure,
      fitted,
      notMet: notMet ?? null,
    })),
  };
}

/** The nearer of the two numbers is the one that does not fit the other. @throws UserError */
function refuseSmallBuffer(chain: readonly PresetFile[], batch: number, buffer: number): void {
  if (batch <= buffer) return;
  const at = chain.find(({ devices }) => devices['fault-batch'] ?? devices['fault-buffer']);
  assert(at !== undefined, 'numbers that no file has');
  const isBatch = at.devices['fault-batch'] !== undefined;
  throw at.source.error({
    path: ['devices', isBatch ? 'fault-batch' : 'fault-buffer', 'value'],
    allowed: isBatch ? `at most the fault-buffer, ${buffer}` : `at least the fault-batch, ${batch}`,
  });
}

/** A preset as a scenario or another preset names it. */
interface NamedPreset {
  readonly preset: string;
  readonly baseDir: string;
  readonly namedBy: FileReference | undefined;
}

/** The preset first, then what it stands on; the last one has everything. */
function readChain(named: NamedPreset, files: ScenarioFiles): readonly PresetFile[] {
  const chain: PresetFile[] = [];
  const paths: string[] = [];
  let next: NamedPreset | null = named;
  while (next !== null) {
    const path = presetPath(next.preset, next.baseDir);
    const source: YamlSource = new YamlSource(
      shortestPath(resolve(path)),
      readPreset(next, path, files),
      WHAT,
    );
    const file = checkShape(source, presetSchema);
    const base = file.extends;
    chain.push({ ...(base === undefined ? checkShape(source, wholePresetSchema) : file), source });
    paths.push(identityOf(next.preset, path, files) ?? path);
    if (base !== undefined) refuseCycle(source, base, presetPath(base, dirname(path)), { paths, files });
    next =
      base === undefined
        ? null
        : { preset: base, baseDir: dirname(path), namedBy: source.placeOf(['extends']) };
  }
  return chain;
}

/** @throws UserError where a preset would stand on itself. */
function refuseCycle(
  source: YamlSource,
  base: string,
  path: string,
  { paths, files }: { readonly paths: readonly string[]; readonly files: ScenarioFiles },
): void {
  const target = identityOf(base, path, files);
  const at = target === null ? -1 : paths.indexOf(target);
  if (at < 0) return;
  const shown = [...paths.slice(at), paths[at]].map((one) => relative(dirname(paths[at]), one));
  throw source.error({
    path: ['extends'],
    found: `a circle: ${shown.join(' extends ')}`,
    allowed: 'a preset that does not stand on this one',
  });
}

/** Null where there is no such file. */
function identityOf(preset: string, path: string, files: ScenarioFiles): string | null {
  return (isPath(preset) ? files : filesOnDisk).identity(path);
}

function readPreset({ preset, namedBy }: NamedPreset, path: string, files: ScenarioFiles): string {
  if (isPath(preset)) return files.text(path, WHAT, PRESET_BYTES_MAX, namedBy);
  const names = presetNames();
  if (names.includes(preset)) return filesOnDisk.text(path, WHAT, PRESET_BYTES_MAX, namedBy);
  const meant = didYouMean(preset, names);
  throw new UserError({
    ...(namedBy === undefined ? { where: preset } : placeOf(namedBy)),
    found: preset,
    allowed: `${names.join(', ')}, or a file that ends in .yaml`,
    ...(meant === null ? {} : { hint: `did you mean ${meant}?` }),
  });
}

function isPath(preset: string): boolean {
  return /\.ya?ml$/.test(preset);
}

function firstOf<T>(values: readonly (T | undefined)[]): T {
  const value = values.find((one) => one !== undefined);
  assert(value !== undefined, 'a preset that stands by itself lacks a number');
  return value;
}

function presetPath(preset: string, baseDir: string): string {
  return isPath(preset) ? pathFrom(baseDir, preset) : join(configDir(), 'presets', `${preset}.yaml`);
}

/** Of the presets that come with svmsim. */
export function presetNames(): string[] {
  return readdirSync(join(configDir(), 'presets'))
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => file.slice(0, -'.yaml'.length))
    .sort();
}

/** The config folder that comes with the program, be it run from source or from dist. */
export function configDir(): string {
  let dir = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(dir, 'config', 'presets'))) {
    const parent = dirname(dir);
    assert(parent !== dir, 'the config folder is not beside the program');
    dir = parent;
  }
  return join(dir, 'config');
}
