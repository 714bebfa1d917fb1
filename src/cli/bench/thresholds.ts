/** Reads `--threshold`: refuses what is no threshold, names no figure, or has a number of another kind, before anything is measured. */

import { didYouMean } from '../../base/didYouMean.js';
import type { FigureUnit } from '../../report/bench/figure.js';
import {
  parseThreshold,
  THRESHOLD_FORM,
  type Threshold,
  thresholdProblem,
} from '../../report/bench/threshold.js';
import { refusal } from '../optionValues.js';

const NAMES_SHOWN = 3;

/** @throws UserError */
export function readThresholds(
  typed: readonly string[],
  known: ReadonlyMap<string, FigureUnit>,
): Threshold[] {
  return typed.map((text) => {
    const threshold = parseThreshold(text);
    if (threshold === null) throw refusal('--threshold', text, THRESHOLD_FORM);
    const problem = thresholdProblem(threshold, known);
    if (problem === null) return threshold;
    if (problem === 'unknown name') throw unknownName(threshold, [...known.keys()]);
    throw refusal(`--threshold ${text}`, threshold.limit, problem.allowed);
  });
}

function unknownName({ typed, name }: Threshold, names: readonly string[]): Error {
  const meant = didYouMean(name, names);
  const some = names.slice(0, NAMES_SHOWN).join(', ');
  const hint = meant === null ? `--format csv lists the figures of a run` : `did you mean ${meant}?`;
  return refusal(
    `--threshold ${typed}`,
    name,
    `the name of a figure that will be measured, such as ${some}; * stands for any part between dots`,
    hint,
  );
}
