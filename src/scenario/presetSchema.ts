/** The preset file: every key with its meaning. */

import { z } from 'zod';
import { figureNames } from '../simulation/calibrate/figures.js';
import { type CostKeyName, costKey, costKeyNames, eachCostKey } from './costKeys.js';
import {
  count,
  map,
  name,
  oneOf,
  optionalKey,
  orNone,
  requiredKey,
  someOf,
  text,
  type Value,
} from './keys.js';

const FAULTS_MAX = 65_536;

/** What a machine's devices have, where a scenario does not say otherwise. */
export const deviceKeys = {
  'fault-batch': {
    value: count(1, 4096),
    doc: 'Faults that a device delivers to the host at once, at most.',
  },
  'fault-buffer': {
    value: count(1, FAULTS_MAX),
    doc: 'Faults that a device keeps until they are delivered; at least fault-batch.',
  },
  'copy-engines': { value: count(1, 16), doc: 'Transfers that a device runs at the same time.' },
} as const;
export type DeviceKeyName = keyof typeof deviceKeys;

export function eachDeviceKey<T>(make: (key: DeviceKeyName) => T): Record<DeviceKeyName, T> {
  return {
    'fault-batch': make('fault-batch'),
    'fault-buffer': make('fault-buffer'),
    'copy-engines': make('copy-engines'),
  };
}

/** What a figure can have been fitted by. */
export type PresetKeyName = CostKeyName | DeviceKeyName;
const presetKeyNames: readonly PresetKeyName[] = [
  ...costKeyNames,
  ...Object.values(eachDeviceKey((key) => key)),
];

function sourced<T>(value: Value<T>, doc: string) {
  return map({
    value: requiredKey(value, doc),
    source: requiredKey(text(500), 'Where the number was published, or "assumed" and why.'),
  }).describe(doc);
}

const claim = map({
  figure: requiredKey(oneOf(figureNames), 'A published figure that the preset is held against.'),
  fitted: requiredKey(
    orNone(someOf(presetKeyNames)),
    'Numbers, of the preset or of those that it stands on, that were chosen so that this figure comes out; none: the model predicts it.',
  ),
  'not-met': optionalKey(
    text(500),
    'the figure is met within 15 %',
    'Why the model does not give what was published.',
  ),
});

const number = (key: CostKeyName) => sourced(costKey(key).value, costKey(key).doc);
const device = (key: DeviceKeyName) => sourced(deviceKeys[key].value, deviceKeys[key].doc);

const head = {
  name: requiredKey(name(), 'Names the preset in results.'),
  description: optionalKey(text(2000), 'none', 'Which machine the numbers describe.'),
  extends: optionalKey(
    text(200),
    'nothing: the file has every number',
    'A preset whose numbers hold where this one has none: a name in config/presets, or the path of a file (ending in .yaml) from this one.',
  ),
};

const claims = z
  .array(claim, { error: () => 'a list of claims' })
  .prefault([])
  .describe(
    'Published figures that `svmsim bench calibrate` holds the preset against; a preset that extends another claims its own only.',
  );

/** A preset that stands on another. */
export const presetSchema = map({
  ...head,
  numbers: map(eachCostKey((key) => number(key).optional().describe(costKey(key).doc)))
    .prefault({})
    .describe('Numbers of the cost model, each with its source; all of them where nothing is extended.'),
  devices: map(eachDeviceKey((key) => device(key).optional().describe(deviceKeys[key].doc)))
    .prefault({})
    .describe('What each device has where a scenario does not say; all of it where nothing is extended.'),
  claims,
});

/** One that stands by itself. */
export const wholePresetSchema = map({
  ...head,
  numbers: map(eachCostKey(number)),
  devices: map(eachDeviceKey(device)),
  claims,
});
