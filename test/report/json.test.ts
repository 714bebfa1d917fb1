/** The JSON documents: their shape, and that only what is named so depends on wall time. */

import { describe, expect, it } from 'vitest';
import { errorDocument, jsonText, runDocument, sweepDocument } from '../../src/report/json.js';
import { environment, runReport, simulationConfig } from './fixtures.js';

const context = { command: 'run', config: simulationConfig(), environment };

/** The document without everything that wall time may touch. */
function withoutWall(document: object): unknown {
  return JSON.parse(JSON.stringify(document), (key, value) =>
    key.startsWith('wall') || key === 'environment' ? undefined : value,
  );
}

describe('runDocument', () => {
  it('starts with the common keys, in their order', () => {
    const document = runDocument(runReport(), context);
    const common = Object.keys(document).filter((key) =>
      [
        'svmsim',
        'command',
        'scenario',
        'executor',
        'seed',
        'ok',
        'environment',
        'checks',
        'counters',
        'results',
        'time',
      ].includes(key),
    );
    expect(common).toEqual([
      'svmsim',
      'command',
      'scenario',
      'executor',
      'seed',
      'ok',
      'environment',
      'checks',
      'counters',
      'results',
      'time',
    ]);
    expect(document).toMatchObject({
      svmsim: '9.9.9',
      command: 'run',
      scenario: 'n1-mirror',
      executor: 'threads',
      seed: 7,
      ok: true,
      partial: false,
      outcome: 'completed',
      checks: [{ name: 'content', ok: true, detail: '512 pages compared' }, { name: 'M2' }],
      results: [{ workload: 'jacobi', ok: true, counts: { iterations: 10 } }, { workload: 'sort' }],
      configuration: { devices: 2, layout: 'n1', vramBytes: 2 ** 26, chunkBytes: [2 ** 21, 2 ** 16, 4096] },
      time: { wallNs: 2.5e9, simulatedNs: 0 },
    });
  });

  it('puts times under wall for threads and under simulated for virtual', () => {
    const times = { meanNs: 20_000, p50Ns: 12_300, p90Ns: 40_000, p99Ns: 120_000, maxNs: 1.5e6 };
    expect(runDocument(runReport(), context).invalidationLatency).toEqual({ count: 812, wall: times });
    const virtual = runDocument(runReport({ executor: 'virtual' }), context);
    expect(virtual.invalidationLatency).toEqual({ count: 812, simulated: times });
    expect(virtual.devices).toMatchObject([
      { device: 0, faultLatency: { simulated: { p50Ns: 123_456 } } },
      {},
    ]);
  });

  it('has rates of loads over the time for which programs ran', () => {
    const times = { meanNs: 1500, p50Ns: 1000, p90Ns: 2000, p99Ns: 3000, p999Ns: 4000, maxNs: 5000 };
    const loads = [
      { load: 'munmap', operations: 20, wanted: { perSecond: 50, isLeast: false }, ...times },
    ] as const;
    const document = runDocument(runReport({ loads, programsNs: 1e9, wallNs: 3e9 }), context);
    expect(document.loads).toMatchObject([{ load: 'munmap', wantedPerSecond: 50, wall: { perSecond: 20 } }]);
    const shared = loads.map((load) => ({ ...load, wanted: { perSecond: 50, isLeast: true } }));
    const [load] = Object(runDocument(runReport({ loads: shared }), context)).loads;
    expect(load).toMatchObject({ wantedAtLeastPerSecond: 50 });
    expect(load).not.toHaveProperty('wantedPerSecond');
  });

  it('separates counters of time where they are of wall time', () => {
    const threads = runDocument(runReport(), context);
    expect(threads.wallCounters).toEqual({ svm_copy_us: 11 });
    expect(threads.counters).not.toHaveProperty('svm_copy_us');
    const virtual = runDocument(runReport({ executor: 'virtual' }), context);
    expect(virtual.counters).toHaveProperty('svm_copy_us', 11);
    expect(virtual).not.toHaveProperty('wallCounters');
  });

  it('is the same for the same virtual run on a slower machine that counts in another order', () => {
    const fast = runReport({ executor: 'virtual' });
    const reversed = Object.fromEntries(Object.entries(fast.counters).reverse());
    const slow = runReport({ executor: 'virtual', wallNs: 9e9, counters: reversed });
    const other = { ...context, environment: { ...environment, cpu: 'another', cores: 64 } };
    expect(jsonText(withoutWall(runDocument(slow, other)) as object)).toBe(
      jsonText(withoutWall(runDocument(fast, context)) as object),
    );
  });

  it('marks partial and failed runs', () => {
    expect(runDocument(runReport({ outcome: 'interrupted' }), context)).toMatchObject({
      ok: true,
      partial: true,
    });
    const failure = { actor: 'gpu1', isVerdict: true, message: 'lost', lastSteps: ['a'], waits: [] };
    expect(runDocument(runReport({ failure, outcome: 'failed' }), context)).toMatchObject({
      ok: false,
      partial: false,
      failure,
    });
  });
});

describe('sweepDocument', () => {
  it('has a result for each seed and the sum of all counters', () => {
    const reports = [1, 2].map((seed) =>
      runReport({ executor: 'virtual', seed, simulatedNs: 5, wallNs: seed }),
    );
    const document = sweepDocument(reports, { first: 1, last: 2 }, 77, context);
    expect(document).toMatchObject({
      executor: 'virtual',
      seed: null,
      ok: true,
      partial: false,
      seeds: { first: 1, last: 2 },
      counters: { svm_pagefault_count: 2468 },
      results: [
        { seed: 1, ok: true, time: { wallNs: 1, simulatedNs: 5 } },
        { seed: 2, ok: true },
      ],
      time: { wallNs: 77, simulatedNs: 10 },
    });
    expect(sweepDocument(reports, { first: 1, last: 3 }, 77, context)).toMatchObject({
      ok: true,
      partial: true,
    });
  });
});

describe('jsonText', () => {
  it('is one document that ends with a newline', () => {
    const text = jsonText(errorDocument('run', 'no such file', environment));
    expect(text.endsWith('}\n')).toBe(true);
    expect(JSON.parse(text)).toMatchObject({
      svmsim: '9.9.9',
      command: 'run',
      ok: false,
      error: { message: 'no such file' },
    });
  });
});
