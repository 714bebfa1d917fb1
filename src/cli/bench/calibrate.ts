/** `svmsim bench calibrate PRESET...`: cost presets against the published figures that they claim. */

import { calibrateKey, calibrateReport, residualText } from '../../report/bench/calibrate.js';
import { presetHash } from '../../report/configuration.js';
import { costConfig } from '../../scenario/costKeys.js';
import { loadPreset, presetNames } from '../../scenario/presets.js';
import type {
  CalibrateBenchOptions,
  CalibrateCell,
  CalibratedMachine,
} from '../../simulation/bench/calibrate.js';
import type { CostConfig } from '../../simulation/simulationConfig.js';
import { refusal } from '../optionValues.js';
import type { Benchmark } from './benchmark.js';

export const calibrateBenchmark: Benchmark<CalibrateBenchOptions, CalibrateCell> = {
  name: 'calibrate',
  what: 'cost presets against published figures of the machines that they describe: what the model gives, and the residual',
  scenario: 'calibrate',
  takes: [],
  // A preset is measured on the machine that it describes, by experiments of its claims' own, once.
  without: ['scenario', 'executor', 'preset', 'set', 'seed', 'samples'],
  takesPresets: true,
  onlyByName: true,
  samplesMax: 1000,
  report: calibrateReport,
  plan: ({ typed, config }) => {
    const machines = presetsOf(typed.presets ?? []).map(machineOf);
    if (machines.every(({ claims }) => claims.length === 0)) {
      const names = machines.map(({ preset }) => preset).join(', ');
      throw refusal(
        'bench calibrate',
        `${names}, which claims no figure`,
        `a preset with claims: ${claiming().join(', ')}`,
      );
    }
    const keys = machines.flatMap(({ preset, claims }) =>
      claims.map(({ figure }) => calibrateKey({ preset, figure })),
    );
    const largest = { ...config, cost: costNamed(machines) };
    return { options: { machines }, largest, keys };
  },
  measure: (simulator, config, options) => simulator.bench.calibrate(config, options),
  progress: (cell) => `${cell.preset} ${cell.figure} ${residualText(cell)}`,
};

/** For the head of the output, and for comparisons: the preset of the figures, or how many there are and what tells them from edited ones. */
function costNamed(machines: readonly CalibratedMachine[]): CostConfig {
  const [{ cost }] = machines;
  if (machines.length === 1) return cost;
  const hashes = machines.map((machine) => presetHash(machine)).join();
  return {
    ...cost,
    preset: `${machines.length} presets, ${presetHash({ cost: { ...cost, preset: hashes } })}`,
  };
}

/** All that come with svmsim, unless some are named. */
function presetsOf(named: readonly string[]): readonly string[] {
  return named.length > 0 ? [...new Set(named)] : claiming();
}

function claiming(): string[] {
  return presetNames().filter((name) => loadPreset(name, '.').claims.length > 0);
}

/** @throws UserError for a preset that is not there or is malformed. */
function machineOf(named: string): CalibratedMachine {
  const { name: preset, numbers, devices, claims } = loadPreset(named, '.');
  const device = {
    copyEngines: devices['copy-engines'],
    faultBatch: devices['fault-batch'],
    faultBufferEntries: devices['fault-buffer'],
  };
  return { preset, cost: costConfig(preset, numbers), device, claims };
}
