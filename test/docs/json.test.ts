/** The page of JSON documents has the fields that documents have: all of them, and no others. */

import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { Finding } from '../../src/explore/block.js';
import { coverageOf } from '../../src/explore/confidence.js';
import type { ExplorationReport } from '../../src/explore/exploration.js';
import { bugsDocument, raceDocument } from '../../src/report/bugsReport.js';
import { caseDocument } from '../../src/report/caseJson.js';
import { exploreDocument } from '../../src/report/exploreReport.js';
import { errorDocument, runDocument, sweepDocument } from '../../src/report/json.js';
import { swarmDocument } from '../../src/report/swarmReport.js';
import { loadScenario } from '../../src/scenario/loadScenario.js';
import { configDir } from '../../src/scenario/presets.js';
import { runReport } from '../report/fixtures.js';

const page = readFileSync(new URL('../../docs/json.md', import.meta.url), 'utf8');
const environment = {
  svmsim: '0',
  node: 'v20',
  platform: 'linux',
  arch: 'x64',
  cpu: '',
  cores: 1,
  memoryBytes: 1,
  peakMemoryBytes: 1,
};

function sectionOf(title: string): string {
  return page.split(/^## /m).find((text) => text.startsWith(`${title}\n`)) ?? '';
}

function fieldsUnder(title: string): string[] {
  return [...sectionOf(title).matchAll(/^\| `(\w+)`/gm)].map(([, field]) => field);
}

/** Fields of the document and of what is in it, of which the page does not speak under this title. */
function unnamed(title: string, document: object): string[] {
  const section = sectionOf(title);
  const head = fieldsUnder('Every document');
  const named = (key: string): boolean => head.includes(key) || section.includes(`\`${key}\``);
  return keysIn(document).filter((key) => !named(key));
}

/** What is in these is told once for all documents, or elsewhere. */
const closed = ['environment', 'configuration', 'time', 'checks', 'counters'];

function keysIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(keysIn);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, below]) => [
    key,
    ...(closed.includes(key) ? [] : keysIn(below)),
  ]);
}

it('names the fields of a run', () => {
  const latency = { count: 1, meanNs: 1, p50Ns: 1, p90Ns: 1, p99Ns: 1, p999Ns: 1, maxNs: 1 };
  const report = runReport({
    loads: [{ load: 'munmap', operations: 1, wanted: { perSecond: 5, isLeast: false }, ...latency }],
  });
  const config = loadScenario(`${configDir()}/n1-mirror.yaml`, {});
  const document = runDocument(report, { command: 'run', config, environment });
  expect([...fieldsUnder('Every document'), ...fieldsUnder('Run')].sort()).toEqual(
    Object.keys(document).sort(),
  );
});

it('names the fields of cases', () => {
  const context = { executor: 'virtual', seed: 1, partial: false, environment, wallNs: 1 } as const;
  expect(fieldsUnder('Every document').sort()).toEqual(Object.keys(caseDocument([], context)).sort());
});

const finding: Finding = {
  verdict: { kind: 'invariant', invariant: 'I4', message: 'wrong', details: [] },
  strategy: 'random',
  schedule: 0,
  steps: 1,
  preemptions: 0,
  choices: Uint32Array.of(),
};
const target = { source: { kind: 'scenario', path: '', text: '', set: [] }, bug: null } as const;
const size = { steps: 1, preemptions: 1, operations: 1, pages: 1, devices: 1, contexts: 1, threads: 1 };
const search = {
  name: 'race',
  bug: 'B1',
  expected: [{ kind: 'deadlock' } as const],
  own: { policyFile: 'mine.mjs', policy: { hash: '', names: [] } },
  seed: 1,
  wallMs: 1,
  replay: { file: 'f.bin', command: 'svmsim replay f.bin' },
  shrunk: { target, finding, from: size, to: size, isCut: false },
  turns: [{ actor: 'cpu0', steps: 1 }],
};

it('names the fields of a search', () => {
  const report: ExplorationReport = {
    schedules: 1,
    undecided: 0,
    stepsMin: 1,
    stepsMean: 1,
    stepsMax: 1,
    byStrategy: [{ strategy: 'random', schedules: 1 }],
    findings: [finding],
    coverage: coverageOf({ drawn: Float64Array.of(1), others: Float64Array.of() }),
    bounds: [{ depth: 1, schedules: 1, choices: 1, missedAtMost: 0.5, neededFor95: 5, neededFor99: 7 }],
    tasksMax: 1,
    choicesMax: 1,
    isExhausted: false,
    isPartial: false,
  };
  const document = exploreDocument(report, search, environment);
  expect(unnamed('Explore', document)).toEqual([]);
  const own = fieldsUnder('Explore').filter((field) => field !== 'results');
  expect([...fieldsUnder('Every document'), ...own].sort()).toEqual(Object.keys(document).sort());
});

it('names the fields of a swarm', () => {
  const scenario = {
    seed: 1,
    summary: '',
    target,
    strategy: 'random',
    schedules: 1,
    undecided: 0,
    stepsTotal: 1,
    stepsMax: 1,
    finding,
  } as const;
  const report = { scenarios: [scenario], isPartial: false };
  expect(
    unnamed(
      'Explore',
      swarmDocument(report, search, () => '', environment),
    ),
  ).toEqual([]);
});

it('names the fields of sweeps, bugs, races and errors', () => {
  const config = loadScenario(`${configDir()}/n1-mirror.yaml`, {});
  const context = { command: 'run', config, environment };
  const sweep = sweepDocument([runReport()], { first: 1, last: 1 }, 1, context);
  expect(unnamed('A sweep over seeds', sweep)).toEqual([]);
  expect(unnamed('Bugs', bugsDocument(environment))).toEqual([]);
  const cell = { bug: 'B1', strategy: 'random', schedules: 1, found: 'yes', wallSeconds: 1 } as const;
  const race = raceDocument([cell], { seed: 1, partial: false, wallNs: 1, environment });
  expect(unnamed('Bugs', race)).toEqual([]);
  expect(unnamed('Instead of a result', errorDocument('run', 'wrong', environment))).toEqual([]);
});
