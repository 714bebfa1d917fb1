/** Holds a modelled machine against figures that were published of the real one. */

import type { SimulationConfig } from '../simulationConfig.js';
import { type Figure, type FigureName, figureOf } from './figures.js';
import { runExperiment } from './runExperiment.js';

/** What a preset must be within to claim a figure, as a share of it. */
export const RESIDUAL_MAX = 0.15;

/** A figure that a preset claims. */
export interface ClaimedFigure {
  readonly figure: FigureName;
  /** Keys of the machine's numbers that were chosen so that it comes out. */
  readonly fitted: readonly string[];
  /** Why the model does not give it; null where it is said to. */
  readonly notMet: string | null;
}

/** The same where the experiment has another number of copy engines than the machine. */
export interface OwnEngines {
  /** Of the experiment, and of the machine. */
  readonly engines: { readonly experiment: number; readonly own: number };
  /** With the machine's own. */
  readonly model: number;
  readonly residual: number;
}

export interface Residual {
  readonly figure: FigureName;
  readonly about: Figure;
  /** What the model gives; null where it has nothing that corresponds. */
  readonly model: number | null;
  /** Relative to what was published. */
  readonly residual: number | null;
  /** Null where the experiment leaves the machine its own. */
  readonly ownEngines: OwnEngines | null;
  readonly fitted: readonly string[];
  /** `fitted`: numbers were chosen so that it comes out, so that it only shows that nothing else stands in their way. Null where the model has nothing. */
  readonly basis: 'fitted' | 'predicted' | null;
  /** `explained`: it is not met, and the preset says why. */
  readonly status: 'met' | 'explained' | 'missed';
  readonly notMet: string | null;
}

export interface CalibrateOptions {
  readonly signal?: AbortSignal;
  readonly onResidual?: (residual: Residual) => void;
}

/** Under the virtual executor, each experiment on a machine of its own. */
export async function calibrate(
  machine: SimulationConfig,
  claims: readonly ClaimedFigure[],
  options: CalibrateOptions = {},
): Promise<Residual[]> {
  const residuals: Residual[] = [];
  for (const claim of claims) {
    if (options.signal?.aborted) return residuals;
    const residual = await residualUntil(machine, claim, options.signal);
    if (residual === null) return residuals;
    residuals.push(residual);
    options.onResidual?.(residual);
  }
  return residuals;
}

/** Null where the signal has cut it off. */
async function residualUntil(
  machine: SimulationConfig,
  claim: ClaimedFigure,
  signal: AbortSignal | undefined,
): Promise<Residual | null> {
  try {
    return await residualOf(machine, claim, signal);
  } catch (error) {
    if (signal?.aborted === true && error === signal.reason) return null;
    throw error;
  }
}

async function residualOf(
  machine: SimulationConfig,
  claim: ClaimedFigure,
  signal: AbortSignal | undefined,
): Promise<Residual> {
  const { figure, fitted, notMet } = claim;
  const about = figureOf(figure);
  const model = about.experiment === null ? null : await runExperiment(machine, about.experiment, signal);
  const residual = model === null ? null : model / about.published - 1;
  const isMet = residual !== null && Math.abs(residual) <= RESIDUAL_MAX;
  const status = isMet ? 'met' : notMet === null ? 'missed' : 'explained';
  const basis = model === null ? null : fitted.length > 0 ? 'fitted' : 'predicted';
  const ownEngines = await withOwnEngines(machine, about, signal);
  return { figure, about, model, residual, ownEngines, fitted, basis, status, notMet };
}

/** What an experiment that changes the machine would give of the machine as it is. */
async function withOwnEngines(
  machine: SimulationConfig,
  { experiment, published }: Figure,
  signal: AbortSignal | undefined,
): Promise<OwnEngines | null> {
  if (experiment?.kind !== 'copies' || experiment.enginesPerDevice === undefined) return null;
  const own = machine.device.copyEngines;
  if (experiment.enginesPerDevice === own) return null;
  const model = await runExperiment(machine, { ...experiment, enginesPerDevice: own }, signal);
  const engines = { experiment: experiment.enginesPerDevice, own };
  return { engines, model, residual: model / published - 1 };
}
