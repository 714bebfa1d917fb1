/** The page of JSON documents has the fields that documents have: all of them, and no others. */

import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { caseDocument } from '../../src/report/caseJson.js';
import { runDocument } from '../../src/report/json.js';
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

function fieldsUnder(title: string): string[] {
  const section = page.split(/^## /m).find((text) => text.startsWith(`${title}\n`)) ?? '';
  return [...section.matchAll(/^\| `(\w+)`/gm)].map(([, field]) => field);
}

it('names the fields of a run', () => {
  const latency = { count: 1, meanNs: 1, p50Ns: 1, p90Ns: 1, p99Ns: 1, p999Ns: 1, maxNs: 1 };
  const report = runReport({ loads: [{ load: 'munmap', operations: 1, ...latency }] });
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
