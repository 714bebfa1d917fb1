/** Cost presets: files of numbers that each name their source. */

import { existsSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assert } from '../base/assert.js';
import { checkShape } from './checkShape.js';
import { type CostKeyName, costKeys, eachCostKey } from './costKeys.js';
import { map, name, optionalKey, requiredKey, text } from './keys.js';
import { type FileReference, readTextFile } from './readTextFile.js';
import { YamlSource } from './yamlSource.js';

const PRESET_BYTES_MAX = 2 ** 18;
const WHAT = 'a cost preset: a YAML map with name and numbers';

export const presetSchema = map({
  name: requiredKey(name(), 'Names the preset in results.'),
  description: optionalKey(text(2000), 'none', 'Which machine the numbers describe.'),
  numbers: map(
    eachCostKey((costKey) =>
      map({
        value: requiredKey(costKeys[costKey].value, costKeys[costKey].doc),
        source: requiredKey(text(500), 'Where the number was published, or "assumed" and why.'),
      }).describe(costKeys[costKey].doc),
    ),
  ).describe('Every number of the cost model with its source.'),
});

export interface CostPreset {
  readonly name: string;
  readonly numbers: Record<CostKeyName, number>;
  /** Where each number comes from. */
  readonly sources: Record<CostKeyName, string>;
}

/**
 * `preset` is a name in config/presets, or a path ending in .yaml, relative to `baseDir`.
 *
 * @throws UserError for a preset that is not there or is malformed.
 */
export function loadPreset(preset: string, baseDir: string, namedBy?: FileReference): CostPreset {
  const path = presetPath(preset, baseDir);
  const source = new YamlSource(path, readTextFile(path, WHAT, PRESET_BYTES_MAX, namedBy), WHAT);
  const { name, numbers } = checkShape(source, presetSchema);
  return {
    name,
    numbers: eachCostKey((key) => numbers[key].value),
    sources: eachCostKey((key) => numbers[key].source),
  };
}

function presetPath(preset: string, baseDir: string): string {
  if (/\.ya?ml$/.test(preset)) return resolve(baseDir, preset) === preset ? preset : join(baseDir, preset);
  const path = join(configDir(), 'presets', `${preset}.yaml`);
  const short = relative(process.cwd(), path);
  return short.startsWith('..') ? path : short;
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
