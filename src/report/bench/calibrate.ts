/** What `bench calibrate` says: for each preset the published figures, what the model gives, and how far apart the two are. */

import type { CalibrateCell } from '../../simulation/bench/calibrate.js';
import { type OwnEngines, RESIDUAL_MAX } from '../../simulation/calibrate/calibrate.js';
import type { CheckResult } from '../../simulation/runReport.js';
import type { JsonObject } from '../json.js';
import type { ReportBlock } from '../reportBlock.js';
import { left, right } from '../textTable.js';
import { plural } from '../units.js';
import type { BenchReport } from './benchReport.js';

const LIMIT = `${100 * RESIDUAL_MAX} %`;

export const calibrateReport: BenchReport<CalibrateCell> = {
  metrics: {
    model: {
      unit: 'plain',
      clock: 'simulated',
      better: 'neither',
      what: 'what the model gives, in the unit of the published figure',
    },
    error: {
      unit: 'plain',
      clock: 'simulated',
      better: 'lower',
      what: 'its distance from the published figure, as a share of it',
    },
  },
  measured: (cell) => ({
    key: calibrateKey(cell),
    samples: {
      model: cell.model === null ? null : [cell.model],
      error: cell.residual === null ? null : [Math.abs(cell.residual)],
    },
  }),
  checks: (cells) => [check(cells)],
  blocks: (cells) => [...new Set(cells.map(({ preset }) => preset))].map((preset) => block(preset, cells)),
  results: ({ preset, figure, about, model, residual, ownEngines, fitted, basis, status, notMet }) => [
    {
      name: calibrateKey({ preset, figure }),
      preset,
      figure,
      what: about.what,
      unit: about.unit,
      published: about.published,
      source: about.source,
      simulated: model,
      residual,
      basis,
      fitted: [...fitted],
      status,
      ...(ownEngines === null ? {} : { ownEngines: ownEnginesResult(ownEngines) }),
      ...(notMet === null ? {} : { notMet }),
    },
  ],
};

export function calibrateKey({ preset, figure }: Pick<CalibrateCell, 'preset' | 'figure'>): string {
  return `${preset}.${figure}`;
}

/** `11.9GB/s`; words where the model has nothing. */
export function valueText({ model, about }: Pick<CalibrateCell, 'model' | 'about'>): string {
  return model === null ? 'nothing alike' : `${threeDigits(model)}${about.unit}`;
}

/** `+2.6%`; a word where the model has nothing. */
export function residualText({ residual }: Pick<CalibrateCell, 'residual'>): string {
  if (residual === null) return '-';
  const percent = Number((100 * residual).toFixed(1));
  return `${percent >= 0 ? '+' : ''}${percent.toFixed(1)}%`;
}

function block(preset: string, cells: readonly CalibrateCell[]): ReportBlock {
  const own = cells.filter((cell) => cell.preset === preset);
  const columns = [
    left('Figure'),
    left('What was measured'),
    right('Published'),
    right('Model (simulated)'),
    right('Residual'),
    left('Fitted or predicted'),
    left(''),
  ];
  const rows = own.map((cell) => [
    cell.figure,
    cell.about.what,
    `${cell.about.published}${cell.about.unit}`,
    valueText(cell),
    residualText(cell),
    basisText(cell),
    statusText(cell),
  ]);
  const sources = [...new Set(own.map(({ about }) => about.source))].map((source) => `Source: ${source}`);
  return {
    title: `Preset ${preset}`,
    columns,
    rows,
    notes: [...own.flatMap(reasons), ...own.flatMap(changes), ...sources],
  };
}

function reasons({ figure, status, notMet }: CalibrateCell): string[] {
  if (notMet === null) return [];
  return [
    status === 'met'
      ? `${figure} is met, though the preset says it is not: ${notMet}`
      : `${figure}: ${notMet}`,
  ];
}

/** What an experiment takes otherwise than the preset has it. */
function changes({ figure, about, ownEngines }: CalibrateCell): string[] {
  if (ownEngines === null) return [];
  const { engines, model } = ownEngines;
  const without = `${valueText({ model, about })}, ${residualText(ownEngines)}`;
  return [
    `${figure}: made with ${plural(engines.experiment, 'copy engine')} for each device, as many as the measurement had streams; with the ${engines.own} of the preset ${without}`,
  ];
}

function ownEnginesResult({ engines, model, residual }: OwnEngines): JsonObject {
  return { experiment: engines.experiment, preset: engines.own, simulated: model, residual };
}

/** With the numbers that were fitted. */
function basisText({ basis, fitted }: CalibrateCell): string {
  return basis === 'fitted' ? `fitted: ${fitted.join(', ')}` : (basis ?? '-');
}

function statusText({ status }: CalibrateCell): string {
  return { met: 'met', explained: 'not met, see below', missed: 'MISSED' }[status];
}

function threeDigits(value: number): string {
  return value >= 1000 ? String(Math.round(value)) : value.toPrecision(3);
}

function check(cells: readonly CalibrateCell[]): CheckResult {
  const missed = cells.filter(({ status }) => status === 'missed');
  const detail =
    missed.length === 0
      ? metText(cells)
      : `${plural(missed.length, 'claimed figure')} missed by more than ${LIMIT}: ${missed.map(calibrateKey).join(', ')}`;
  return { name: 'residuals', ok: missed.length === 0, detail };
}

/** Fitted figures are counted apart: that they are met says nothing of the model. */
function metText(cells: readonly CalibrateCell[]): string {
  const met = cells.filter(({ status }) => status === 'met');
  const fitted = met.filter(({ basis }) => basis === 'fitted').length;
  const explained = cells.length - met.length;
  const others =
    explained === 0 ? '' : `; ${explained} ${explained === 1 ? 'is' : 'are'} not and the preset says why`;
  const all = `${met.length} of ${plural(cells.length, 'claimed figure')} ${cells.length === 1 ? 'is' : 'are'} met within ${LIMIT}`;
  return `${all}, ${fitted} to which numbers of the preset were fitted and ${met.length - fitted} predicted${others}`;
}
