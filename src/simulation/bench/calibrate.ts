/** `bench calibrate`: each preset on the machine that it describes, against the figures that it claims. */

import {
  type CalibrateOptions,
  type ClaimedFigure,
  calibrate,
  type Residual,
} from '../calibrate/calibrate.js';
import type { CostConfig, DeviceConfig, SimulationConfig } from '../simulationConfig.js';
import type { BenchControl } from './benchRun.js';

/** A preset as the measurement needs it. */
export interface CalibratedMachine {
  readonly preset: string;
  readonly cost: CostConfig;
  readonly device: Pick<DeviceConfig, 'copyEngines' | 'faultBatch' | 'faultBufferEntries'>;
  readonly claims: readonly ClaimedFigure[];
}

export interface CalibrateCell extends Residual {
  readonly preset: string;
}

export interface CalibrateBenchOptions {
  readonly machines: readonly CalibratedMachine[];
}

export async function runBenchCalibrate(
  config: SimulationConfig,
  options: CalibrateBenchOptions & BenchControl<CalibrateCell>,
): Promise<CalibrateCell[]> {
  const cells: CalibrateCell[] = [];
  for (const { preset, cost, device, claims } of options.machines) {
    if (options.signal?.aborted) break;
    const onResidual = (residual: Residual): void => {
      const cell = { preset, ...residual };
      cells.push(cell);
      options.onCell?.(cell);
    };
    const control: CalibrateOptions = options.signal === undefined ? {} : { signal: options.signal };
    const machine = { ...config, cost, device: { ...config.device, ...device } };
    await calibrate(machine, claims, { ...control, onResidual });
  }
  return cells;
}
