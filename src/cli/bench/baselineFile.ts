/** Reads the document of an earlier run of `svmsim bench`, as far as a comparison needs it. */

import { UserError } from '../../base/userError.js';
import type { BaselineFigure } from '../../report/bench/baseline.js';
import { readTextFile } from '../../scenario/readTextFile.js';

const WHAT = 'a document that svmsim bench wrote with --json';
const BYTES_MAX = 2 ** 26;

/** What an earlier run measured. */
export interface Baseline {
  readonly figures: readonly BaselineFigure[];
  /** All that its document says: of its conditions it may lack any. */
  readonly document: Readonly<Record<string, unknown>>;
}

/** @throws UserError for a file that is not there, is no such document, or has no figures. */
export function readBaseline(path: string): Baseline {
  const document = parsed(path, readTextFile(path, WHAT, BYTES_MAX));
  if (!isObject(document) || document.command !== 'bench') throw wrong(path, 'another document');
  const listed = [document.figures, document.wallFigures].flatMap((list) =>
    Array.isArray(list) ? list : [],
  );
  if (listed.length === 0) throw wrong(path, 'a document without figures');
  return { figures: listed.map((figure: unknown) => figureOf(path, figure)), document };
}

function parsed(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw wrong(path, 'text that is no JSON');
  }
}

function figureOf(path: string, figure: unknown): BaselineFigure {
  if (isObject(figure) && typeof figure.name === 'string' && Array.isArray(figure.samples)) {
    const samples: unknown[] = figure.samples;
    const numbers = samples.filter((sample) => typeof sample === 'number');
    if (numbers.length === samples.length && numbers.length > 0)
      return { name: figure.name, samples: numbers };
  }
  throw wrong(path, 'a figure without name and samples');
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function wrong(path: string, found: string): UserError {
  return new UserError({ where: `--baseline ${path}`, found, allowed: WHAT });
}
