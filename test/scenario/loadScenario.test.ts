/** What a scenario file becomes, and the message for each way to get it wrong. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/base/userError.js';
import { loadScenario } from '../../src/scenario/loadScenario.js';
import { configDir } from '../../src/scenario/presets.js';
import { Scratch } from './scratch.js';

const scratch = new Scratch();

const TRACE = 'mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7ff6a1eb7000\n';

const TOP_KEYS =
  'name, description, seed, executor, duration, ram, thp, devices, svm, cost, workloads, events, join-leave, loads, invalidation';
const SIZE = '4KiB to 16380MiB in whole 4KiB pages, such as 2MiB, 64KiB, 4096 (bytes) or 16pages';
const CHUNKS = 'descending powers of two ending in 4KiB, the first at most 2MiB, such as [2MiB, 64KiB, 4KiB]';
const SCENARIO = 'a scenario: a YAML map with keys such as devices, ram, svm and workloads';

function load(yaml: string) {
  return loadScenario(scratch.write('s.yaml', yaml));
}

function mistake(yaml: string): string {
  return scratch.mistakeOf(() => load(yaml));
}

const PAIRS = 'a list of pairs of different whole numbers from 0, each pair once, such as [[0, 1], [2, 3]]';

describe('what a scenario file becomes', () => {
  it('fills in every default', () => {
    expect(load('seed: 1')).toEqual({
      name: 's',
      seed: 1,
      executor: 'threads',
      ramPages: 65_536,
      thp: 'madvise',
      deviceCount: 4,
      device: {
        vramPages: 16_384,
        contexts: 16,
        tlbEntries: 64,
        faultBatch: 32,
        faultBufferEntries: 256,
        copyEngines: 1,
        systemAtomics: 'none',
        clearVram: false,
      },
      svm: {
        layout: 'n1',
        chunkPages: [512, 16, 1],
        notifierPages: 131_072,
        placement: 'migrate',
        preferredDevice: 0,
        interconnect: 'peer',
        timesliceUs: 0,
        atomicTimesliceNs: 5_000_000,
        migratePagesMin: 1,
        prefetchPages: 0,
        togetherPages: 0,
      },
      cost: expect.objectContaining({ preset: 'plain', hostLinkGBps: 26, gpuFaultNs: 20_000 }),
      workloads: [],
      durationMs: Number.POSITIVE_INFINITY,
    });
  });

  it('turns every key into pages, counts and times', () => {
    scratch.write('t/p.strace', TRACE);
    const config = load(`
name: all
description: every key
seed: 4294967295
executor: virtual
duration: 1.5s
ram: 4096
devices: { count: 3, vram: 16pages, contexts: 2, tlb-entries: 8, fault-batch: 4, fault-buffer: 4, copy-engines: 2, system-atomics: coherent }
svm:
  layout: one-to-one
  chunks: [64KiB, 4KiB]
  notifier: 64KiB
  placement: preferred
  preferred-device: 2
  interconnect: none
  timeslice: 5ms
  atomic-timeslice: 7us
  migrate-min: 64KiB
cost: { preset: plain, gpu-fault: 1us, vram: 500MB/s }
workloads:
  - { kind: trace, file: t/p.strace, touch-pages: 1, device-accesses: 2 }
`);
    expect(config).toMatchObject({
      name: 'all',
      seed: 4_294_967_295,
      executor: 'virtual',
      durationMs: 1500,
      ramPages: 1,
      deviceCount: 3,
      device: {
        vramPages: 16,
        contexts: 2,
        tlbEntries: 8,
        faultBatch: 4,
        faultBufferEntries: 4,
        copyEngines: 2,
        systemAtomics: 'coherent',
      },
      svm: {
        layout: 'one-to-one',
        chunkPages: [16, 1],
        notifierPages: 16,
        placement: 'preferred',
        preferredDevice: 2,
        interconnect: 'none',
        timesliceUs: 5000,
        atomicTimesliceNs: 7000,
        migratePagesMin: 16,
      },
      cost: { preset: 'plain', gpuFaultNs: 1000, vramGBps: 0.5, hostLinkGBps: 26 },
    });
    expect(config.workloads).toMatchObject([
      { kind: 'trace', name: 'trace', touchPages: 1, deviceAccesses: 2, trace: { events: [{ line: 1 }] } },
    ]);
  });

  it('reads every kind of workload', () => {
    const { workloads } = load(`
duration: 1s
workloads:
  - { kind: saxpy, elements: 100, rounds: 3 }
  - { kind: jacobi, rows: 16, columns: 8, iterations: 2 }
  - { kind: histogram, samples: 1000, bins: 10 }
  - { kind: pattern, name: p, pattern: strided, size: 8pages, stride: 2pages, read-ratio: 1, sharing: partitioned, accesses: 5, rounds: unlimited, cpu: false }
  - { kind: invalidate, name: i, threads: 1, size: 4pages, calls: [madvise], operations: unlimited, pause: 10us, accesses: 7 }
`);
    expect(workloads).toEqual([
      { kind: 'saxpy', name: 'saxpy', elements: 100, rounds: 3 },
      { kind: 'jacobi', name: 'jacobi', rows: 16, columns: 8, iterations: 2 },
      { kind: 'histogram', name: 'histogram', samples: 1000, bins: 10 },
      {
        kind: 'pattern',
        name: 'p',
        pattern: 'strided',
        pages: 8,
        stridePages: 2,
        readRatio: 1,
        sharing: 'partitioned',
        accesses: 5,
        rounds: Number.POSITIVE_INFINITY,
        cpu: false,
      },
      {
        kind: 'invalidate',
        name: 'i',
        pages: 4,
        calls: ['madvise'],
        spanPages: 4,
        operations: Number.POSITIVE_INFINITY,
        pauseUs: 10,
        launchAccesses: 7,
      },
    ]);
  });

  it('makes one workload per invalidating thread, after all others', () => {
    const { workloads } = load('invalidation: { threads: 2, size: 16pages }\nworkloads: [{ kind: saxpy }]');
    expect(workloads.map(({ name }) => name)).toEqual(['saxpy', 'invalidate-1', 'invalidate-2']);
    expect(workloads[1]).toMatchObject({ kind: 'invalidate', pages: 16, spanPages: 8, operations: 200 });
  });

  it('replays the sort that comes with svmsim as a load, wherever the scenario lies', () => {
    const { workloads } = load('duration: 1s\nloads: { trace: free }');
    expect(workloads).toMatchObject([
      { kind: 'trace', trace: { fileName: expect.stringContaining('sort-parallel.strace') } },
    ]);
  });

  it.each([
    [
      'duration: 1s\nloads: { trace: free, trace-file: none.strace }',
      /key 'loads\.trace-file': found .*none\.strace, no such file/,
    ],
    [
      'duration: 1s\nloads: { munmap: free, size: 4pages, span: 8pages }',
      /key 'loads\.span': found 8pages, allowed: at most the size, 16KiB/,
    ],
  ])('refuses %j', (yaml, told) => {
    expect(mistake(yaml)).toMatch(told);
  });

  it('lets the span of loads that is not given be as small as they are', () => {
    const { workloads } = load('duration: 1s\nloads: { munmap: free, size: 4pages }');
    expect(workloads).toMatchObject([{ kind: 'invalidate', pages: 4, spanPages: 4 }]);
  });

  it('makes a workload of the section about joining and leaving, which stands last', () => {
    const { workloads } = load('join-leave: { pause: 250us, at-once: 3 }\ninvalidation: { threads: 1 }');
    expect(workloads.map(({ kind }) => kind)).toEqual(['invalidate', 'join-leave']);
    expect(workloads[1]).toEqual({
      kind: 'join-leave',
      name: 'join-leave',
      stay: 0,
      atOnce: 3,
      operations: 100,
      pauseUs: 250,
    });
  });

  it('makes one program of all events, in order of time, each with the addresses that it is about', () => {
    const { workloads } = load(`
workloads: [{ kind: saxpy }, { kind: pattern, name: p }]
events:
  - { kind: unbind, at: 3ms, device: 2 }
  - { kind: prefetch, at: 1ms, device: 1, workload: p }
  - { kind: prefetch, at: 3ms, to: ram }
`);
    expect(workloads[2]).toEqual({
      kind: 'events',
      name: 'events',
      events: [
        { kind: 'prefetch', atNs: 1e6, start: 0x2_0000_0000 + 2 ** 22, npages: 2 ** 22, target: 1 },
        { kind: 'unbind', atNs: 3e6, device: 2 },
        { kind: 'prefetch', atNs: 3e6, start: 0, npages: 2 ** 35, target: -1 },
      ],
    });
    expect(load('events: []').workloads).toEqual([]);
  });

  it('refuses events about what does not exist', () => {
    expect(mistake('devices: { count: 2 }\nevents: [{ kind: unbind, device: 2 }]')).toBe(
      "s.yaml:2: key 'events.0.device': found 2, allowed: a device that exists: 0 to 1",
    );
    const workloads = 'workloads: [{ kind: saxpy }, { kind: invalidate, threads: 2 }, { kind: join-leave }]';
    expect(mistake(`${workloads}\nevents: [{ kind: prefetch, workload: join-leave }]`)).toBe(
      "s.yaml:2: key 'events.0.workload': found join-leave, allowed: a workload with buffers: saxpy, invalidate-1, invalidate-2",
    );
    expect(mistake('events: [{ kind: plug }]')).toBe(
      "s.yaml:1: key 'events.0.kind': found plug, allowed: prefetch, unbind",
    );
  });

  it('follows anchors and aliases', () => {
    const { ramPages, device } = load('ram: &size 8MiB\ndevices: { vram: *size }\n');
    expect([ramPages, device.vramPages]).toEqual([2048, 2048]);
  });

  it('makes a name of any file name', () => {
    expect(loadScenario(scratch.write('my scenario (2).yaml', 'seed: 1')).name).toBe('my-scenario--2-');
  });

  it('refuses no size at its limit', () => {
    expect(load('ram: 16370MiB\ndevices: { count: 1, vram: 8MiB }').ramPages).toBe(16_370 * 256);
  });
});

describe('a file that is no scenario', () => {
  it('is missing', () => {
    expect(scratch.mistakeOf(() => loadScenario(scratch.path('none.yaml')))).toBe(
      `none.yaml: found no such file, allowed: ${SCENARIO}`,
    );
  });

  it('is a directory', () => {
    scratch.write('dir/x', '');
    expect(scratch.mistakeOf(() => loadScenario(scratch.path('dir')))).toBe(
      `dir: found a directory, allowed: ${SCENARIO}`,
    );
  });

  it('never ends', () => {
    expect(scratch.mistakeOf(() => loadScenario('/dev/zero'))).toBe(
      `/dev/zero: found a device, allowed: ${SCENARIO}`,
    );
  });

  it('is too large', () => {
    const path = scratch.write('large.yaml', '#'.repeat(2 ** 20 + 1));
    expect(scratch.mistakeOf(() => loadScenario(path))).toBe(
      `large.yaml: found a file of 1048577 bytes; at most 1MiB are read, allowed: ${SCENARIO}`,
    );
  });

  it('is not text', () => {
    const path = scratch.write('binary.yaml', Uint8Array.of(0x72, 0xff, 0xfe, 0x00));
    expect(scratch.mistakeOf(() => loadScenario(path))).toBe(
      `binary.yaml: found bytes that are not UTF-8 text, allowed: ${SCENARIO}`,
    );
  });

  it.each([
    ['is empty', '', 's.yaml:1: found an empty file'],
    ['has only comments', '# nothing\n', 's.yaml:1: found an empty file'],
    ['is a list', '# a list\n- ram', 's.yaml:2: found a list'],
    ['is one value', 'hello', 's.yaml:1: found the single value hello'],
  ])('%s', (_, yaml, start) => {
    expect(mistake(yaml)).toBe(`${start}, allowed: ${SCENARIO}`);
  });
});

describe('YAML that is not well formed', () => {
  it.each([
    [
      'an unclosed list',
      'ram: 8MiB\nsvm:\n  chunks: [2MiB\nseed: 1',
      's.yaml:4: found a YAML syntax error: Flow sequence in block collection must be sufficiently indented and end with a ], allowed: well-formed YAML',
    ],
    [
      'a key twice',
      'ram: 8MiB\nram: 9MiB',
      's.yaml:2: found a YAML syntax error: Map keys must be unique, allowed: well-formed YAML',
    ],
    [
      'a tab',
      'devices:\n\tcount: 2',
      's.yaml:2: found a YAML syntax error: Tabs are not allowed as indentation, allowed: well-formed YAML',
    ],
    [
      'an unknown tag',
      'seed: 1\nram: !size 4',
      's.yaml:2: found a YAML syntax error: Unresolved tag: !size, allowed: well-formed YAML',
    ],
    [
      'two documents',
      'seed: 1\n---\nseed: 2',
      's.yaml:2: found a second document, allowed: one YAML document',
    ],
    [
      'an unknown alias',
      'seed: 1\nram: *x',
      's.yaml:2: found *x, allowed: an alias of an anchor that stands before it',
    ],
    [
      'an alias of itself',
      'svm: &a { chunks: *a }',
      's.yaml:1: found an alias that cannot be resolved, allowed: aliases that do not contain themselves, 100 values in all',
    ],
    [
      'endless nesting',
      `ram: ${'['.repeat(50_000)}`,
      's.yaml:1: found a YAML syntax error: too many levels, allowed: well-formed YAML',
    ],
  ])('has %s', (_, yaml, message) => {
    expect(mistake(yaml)).toBe(message);
  });
});

describe('a key that nobody knows', () => {
  it.each([
    ['rams: 8MiB', `s.yaml:1: key 'rams': found an unknown key, allowed: ${TOP_KEYS} (did you mean 'ram'?)`],
    ['colour: red', `s.yaml:1: key 'colour': found an unknown key, allowed: ${TOP_KEYS}`],
    ['__proto__: 1', `s.yaml:1: key '__proto__': found an unknown key, allowed: ${TOP_KEYS}`],
    [
      'devices:\n  tlbEntries: 4',
      "s.yaml:2: key 'devices.tlbEntries': found an unknown key, allowed: count, vram, contexts, tlb-entries, fault-batch, fault-buffer, copy-engines, clear-vram, system-atomics (did you mean 'tlb-entries'?)",
    ],
    [
      'workloads:\n  - kind: saxpy\n    element: 4',
      "s.yaml:3: key 'workloads.0.element': found an unknown key, allowed: kind, name, elements, rounds (did you mean 'elements'?)",
    ],
  ])('%j', (yaml, message) => {
    expect(mistake(yaml)).toBe(message);
  });
});

describe('a value of the wrong type or out of range', () => {
  it.each([
    [
      'devices:\n  tlb-entries: 3',
      "s.yaml:2: key 'devices.tlb-entries': found 3, allowed: a power of two from 1 to 65536",
    ],
    ['devices:\n  vram: 0', `s.yaml:2: key 'devices.vram': found 0, allowed: ${SIZE}`],
    ['ram: 0', `s.yaml:1: key 'ram': found 0, allowed: ${SIZE}`],
    ['ram: 256MB', `s.yaml:1: key 'ram': found 256MB, allowed: ${SIZE}`],
    ['ram: 5000', `s.yaml:1: key 'ram': found 5000, allowed: ${SIZE}`],
    ['ram: 17GiB', `s.yaml:1: key 'ram': found 17GiB, allowed: ${SIZE}`],
    ['ram:', `s.yaml:1: key 'ram': found nothing, allowed: ${SIZE}`],
    ['ram: [8MiB]', `s.yaml:1: key 'ram': found [8MiB], allowed: ${SIZE}`],
    ['devices: { count: 0 }', "s.yaml:1: key 'devices.count': found 0, allowed: a whole number from 1 to 64"],
    [
      'devices: { count: 65 }',
      "s.yaml:1: key 'devices.count': found 65, allowed: a whole number from 1 to 64",
    ],
    [
      'devices: { contexts: 1025 }',
      "s.yaml:1: key 'devices.contexts': found 1025, allowed: a whole number from 1 to 1024",
    ],
    [
      'devices: 4',
      "s.yaml:1: key 'devices': found 4, allowed: a map with the keys count, vram, contexts, tlb-entries, fault-batch, fault-buffer, copy-engines, clear-vram, system-atomics",
    ],
    [
      'svm:',
      "s.yaml:1: key 'svm': found nothing, allowed: a map with the keys layout, chunks, notifier, placement, preferred-device, interconnect, links, timeslice, atomic-timeslice, prefetch, prefetch-together, migrate-min",
    ],
    ['svm: { layout: N1 }', "s.yaml:1: key 'svm.layout': found N1, allowed: n1, n1-shared-fault, one-to-one"],
    [
      'svm: { placement: here }',
      "s.yaml:1: key 'svm.placement': found here, allowed: migrate, migrate-system-pages, system, preferred",
    ],
    ['svm: { interconnect: pcie }', "s.yaml:1: key 'svm.interconnect': found pcie, allowed: peer, none"],
    [
      'devices: { system-atomics: all }',
      "s.yaml:1: key 'devices.system-atomics': found all, allowed: none, device, coherent",
    ],
    ['svm: { links: [[0, 0]] }', `s.yaml:1: key 'svm.links': found [[0, 0]], allowed: ${PAIRS}`],
    [
      'svm: { links: [[0, 1], [1, 0]] }',
      `s.yaml:1: key 'svm.links': found [[0, 1], [1, 0]], allowed: ${PAIRS}`,
    ],
    ['svm: { links: [[0, 1, 2]] }', `s.yaml:1: key 'svm.links': found [[0, 1, 2]], allowed: ${PAIRS}`],
    ['svm: { links: [[0, -1]] }', `s.yaml:1: key 'svm.links': found [[0, -1]], allowed: ${PAIRS}`],
    ['svm: { links: peer }', `s.yaml:1: key 'svm.links': found peer, allowed: ${PAIRS}`],
    [
      'svm: { migrate-min: 4MiB }',
      "s.yaml:1: key 'svm.migrate-min': found 4MiB, allowed: 4KiB to 2MiB in whole 4KiB pages, such as 2MiB, 64KiB, 4096 (bytes) or 16pages",
    ],
    [
      'svm: { atomic-timeslice: 2min }',
      "s.yaml:1: key 'svm.atomic-timeslice': found 2min, allowed: 0 to 1min in whole nanoseconds, such as 20s or 500ms or 5us",
    ],
    [
      'svm: { timeslice: 5 }',
      "s.yaml:1: key 'svm.timeslice': found 5, allowed: 0 to 1min in whole microseconds, such as 20s or 500ms or 5us",
    ],
    [
      'svm: { timeslice: 5ns }',
      "s.yaml:1: key 'svm.timeslice': found 5ns, allowed: 0 to 1min in whole microseconds, such as 20s or 500ms or 5us",
    ],
    ['executor: thread', "s.yaml:1: key 'executor': found thread, allowed: virtual, threads"],
    ['seed: -1', "s.yaml:1: key 'seed': found -1, allowed: a whole number from 0 to 4294967295"],
    ['seed: "1"', `s.yaml:1: key 'seed': found "1", allowed: a whole number from 0 to 4294967295`],
    ['seed: .nan', "s.yaml:1: key 'seed': found NaN, allowed: a whole number from 0 to 4294967295"],
    [
      'name: a b',
      "s.yaml:1: key 'name': found a b, allowed: a name of 1 to 40 letters, digits, dots, dashes and underscores",
    ],
    [
      'duration: 20',
      "s.yaml:1: key 'duration': found 20, allowed: 1ms to 24h in whole milliseconds, such as 20s or 500ms, or unlimited",
    ],
    [
      'cost: { host-link: 26 }',
      "s.yaml:1: key 'cost.host-link': found 26, allowed: more than 0 to 100000GB/s, such as 26GB/s or 500MB/s",
    ],
    [
      'cost: { host-link: 0GB/s }',
      "s.yaml:1: key 'cost.host-link': found 0GB/s, allowed: more than 0 to 100000GB/s, such as 26GB/s or 500MB/s",
    ],
    ['workloads: saxpy', "s.yaml:1: key 'workloads': found saxpy, allowed: a list of workloads"],
    ['workloads: [saxpy]', "s.yaml:1: key 'workloads.0': found saxpy, allowed: a map with the key 'kind'"],
    [
      'workloads:\n  - rounds: 2',
      "s.yaml:2: key 'workloads.0.kind': found nothing, allowed: saxpy, jacobi, histogram, pattern, trace, accesses, invalidate, join-leave",
    ],
    [
      'workloads:\n  - rounds: 2\n    kind: axpy',
      "s.yaml:3: key 'workloads.0.kind': found axpy, allowed: saxpy, jacobi, histogram, pattern, trace, accesses, invalidate, join-leave",
    ],
    [
      'workloads: [{ kind: jacobi, rows: 2 }]',
      "s.yaml:1: key 'workloads.0.rows': found 2, allowed: a whole number from 3 to 65536",
    ],
    [
      'workloads: [{ kind: pattern, read-ratio: 2 }]',
      "s.yaml:1: key 'workloads.0.read-ratio': found 2, allowed: a number from 0 to 1",
    ],
    [
      'workloads: [{ kind: pattern, cpu: maybe }]',
      "s.yaml:1: key 'workloads.0.cpu': found maybe, allowed: true or false",
    ],
    [
      'workloads: [{ kind: trace }]',
      "s.yaml:1: key 'workloads.0.file': found nothing, allowed: a text of 1 to 4096 characters",
    ],
    [
      'invalidation: { calls: [munmap, exec] }',
      "s.yaml:1: key 'invalidation.calls': found [munmap, exec], allowed: a list of one or more of munmap, mprotect, madvise, mremap, fork, cpu-fault, evict, prefetch, each once",
    ],
    [
      'invalidation: { calls: [] }',
      "s.yaml:1: key 'invalidation.calls': found [], allowed: a list of one or more of munmap, mprotect, madvise, mremap, fork, cpu-fault, evict, prefetch, each once",
    ],
  ])('%j', (yaml, message) => {
    expect(mistake(yaml)).toBe(message);
  });
});

describe('chunk sizes', () => {
  it.each([
    '[4KiB, 64KiB, 2MiB]',
    '[2MiB, 64KiB]',
    '[2MiB, 2MiB, 4KiB]',
    '[4MiB, 4KiB]',
    '[2MiB, 12KiB, 4KiB]',
    '[2MiB, big, 4KiB]',
    '[]',
    '2MiB',
  ])('%s is refused', (chunks) => {
    expect(mistake(`svm:\n  chunks: ${chunks}`)).toBe(
      `s.yaml:2: key 'svm.chunks': found ${chunks}, allowed: ${CHUNKS}`,
    );
  });

  it('are named at their key when they stand below it', () => {
    expect(mistake('svm:\n  chunks:\n    - 2MiB\n    - 64KiB\n')).toBe(
      `s.yaml:2: key 'svm.chunks': found [2MiB, 64KiB], allowed: ${CHUNKS}`,
    );
  });

  it('may be 4KiB alone', () => {
    expect(load('svm: { chunks: [4KiB] }').svm.chunkPages).toEqual([1]);
  });
});

describe('values that make no sense together', () => {
  it.each([
    [
      'svm:\n  notifier: 64KiB',
      "s.yaml:2: key 'svm.notifier': found 64KiB, allowed: a power of two that is at least the largest chunk, 2MiB",
    ],
    [
      'svm:\n  notifier: 3MiB',
      "s.yaml:2: key 'svm.notifier': found 3MiB, allowed: a power of two from 4KiB to 131072GiB, such as 512MiB",
    ],
    [
      'svm:\n  preferred-device: 4',
      "s.yaml:2: key 'svm.preferred-device': found 4, allowed: a device that exists: 0 to 3",
    ],
    [
      'devices: { count: 1 }\nsvm: { placement: preferred, preferred-device: 1 }',
      "s.yaml:2: key 'svm.preferred-device': found 1, allowed: a device that exists: 0, the only one",
    ],
    [
      'svm:\n  links: [[0, 4]]',
      "s.yaml:2: key 'svm.links': found [[0, 4]], allowed: pairs of devices that exist: 0 to 3",
    ],
    [
      'svm:\n  interconnect: none\n  links: [[0, 1]]',
      "s.yaml:3: key 'svm.links': found [[0, 1]], allowed: no such key with interconnect none",
    ],
    [
      'devices: { fault-batch: 512 }',
      "s.yaml:1: key 'devices.fault-batch': found 512, allowed: at most the fault-buffer, 256",
    ],
    [
      'devices: { fault-batch: 16, fault-buffer: 8 }',
      "s.yaml:1: key 'devices.fault-buffer': found 8, allowed: at least the fault-batch, 16",
    ],
    [
      'ram: 1GiB\ndevices:\n  vram: 4GiB',
      "s.yaml:3: key 'devices.vram': found 1GiB RAM and 4 x 4GiB VRAM, 17GiB together, allowed: at most 16380MiB of RAM and VRAM together",
    ],
    [
      'ram: 16380MiB',
      "s.yaml:1: key 'ram': found 16380MiB RAM and 4 x 64MiB VRAM, 16.25GiB together, allowed: at most 16380MiB of RAM and VRAM together",
    ],
    [
      'workloads:\n  - kind: pattern\n    rounds: unlimited',
      "s.yaml:3: key 'workloads.0.rounds': found unlimited, allowed: a whole number, or unlimited in a scenario with a duration",
    ],
    [
      'invalidation:\n  operations: unlimited',
      "s.yaml:2: key 'invalidation.operations': found unlimited, allowed: a whole number, or unlimited in a scenario with a duration",
    ],
    [
      'join-leave: { operations: unlimited }',
      "s.yaml:1: key 'join-leave.operations': found unlimited, allowed: a whole number, or unlimited in a scenario with a duration",
    ],
    [
      'devices: { count: 3 }\njoin-leave: { stay: 3 }',
      "s.yaml:2: key 'join-leave.stay': found 3, allowed: fewer than the devices, 3: somebody has to leave",
    ],
    [
      'invalidation: { size: 4pages, span: 5pages }',
      "s.yaml:1: key 'invalidation.span': found 5pages, allowed: at most the size, 16KiB",
    ],
    [
      'workloads:\n  - { kind: saxpy, name: a }\n  - { kind: jacobi, name: a }',
      "s.yaml:3: key 'workloads.1.name': found a, allowed: a name that no other workload has",
    ],
    [
      'workloads:\n  - { kind: invalidate, threads: 60, size: 1page }\n  - { kind: invalidate, threads: 5, size: 1page }',
      "s.yaml:3: key 'workloads.1': found CPU thread number 65, allowed: at most 64 CPU threads in all workloads together",
    ],
    [
      'ram: 8MiB\ndevices: { count: 2, vram: 4MiB }\nworkloads:\n  - { kind: pattern, size: 10MiB }\n  - { kind: pattern, size: 7MiB }',
      "s.yaml:5: key 'workloads.1': found buffers of 7MiB, 17MiB with the workloads before it, allowed: at most 16MiB, the RAM and VRAM together",
    ],
    [
      'ram: 8MiB\nsvm: { placement: system }\nworkloads: [{ kind: jacobi, rows: 1024, columns: 1025 }]',
      "s.yaml:3: key 'workloads.0': found buffers of 8.01MiB, allowed: at most 8MiB, the RAM (placement system uses no VRAM)",
    ],
    [
      'ram: 4MiB\ndevices: { vram: 2MiB }\nsvm: { placement: preferred }\ninvalidation: { threads: 2, size: 4MiB }',
      "s.yaml:4: key 'invalidation': found buffers of 8MiB, allowed: at most 6MiB, the RAM and the VRAM of the preferred device together",
    ],
  ])('%j', (yaml, message) => {
    expect(mistake(yaml)).toBe(message);
  });

  it('buffers may fill the memory to the last page', () => {
    const yaml = 'ram: 8MiB\ndevices: { count: 2, vram: 4MiB }\nworkloads: [{ kind: pattern, size: 16MiB }]';
    expect(load(yaml).workloads).toHaveLength(1);
  });
});

describe('a recorded program', () => {
  const yaml = 'workloads:\n  - kind: trace\n    file: traces/bad.strace\n';

  it('that is not there is a mistake of the scenario', () => {
    expect(mistake('workloads:\n  - kind: trace\n    file: none.strace')).toBe(
      "s.yaml:3: key 'workloads.0.file': found none.strace, no such file, allowed: a recorded program: the output of strace -f -ttt",
    );
  });

  it('that is malformed names its own line, and who named it', () => {
    scratch.write('traces/bad.strace', `${TRACE}munmap(0x7ff6a1eb7000, many) = 0\n`);
    const message = mistake(yaml);
    expect(message).toMatch(
      /^traces\/bad\.strace:2: key 'workloads\.0\.file': found .*many.*, allowed: .+ \(named by s\.yaml:3\)$/,
    );
  });

  it('that is empty is malformed', () => {
    scratch.write('traces/bad.strace', '');
    expect(mistake(yaml)).toMatch(
      /^traces\/bad\.strace:1: key 'workloads\.0\.file': found an empty file, allowed: /,
    );
  });
});

describe('of several mistakes', () => {
  it('the first in the file is told, whatever its kind', () => {
    expect(mistake('seed: 1\ncolour: red\nram: 0')).toMatch(/^s\.yaml:2: key 'colour'/);
    expect(mistake('seed: 1\nram: 0\ncolour: red')).toMatch(/^s\.yaml:2: key 'ram'/);
    expect(mistake('svm: { chunks: [1MiB] }\nram: 0')).toMatch(/^s\.yaml:1: key 'svm.chunks'/);
  });

  it('of values that make no sense together too, missing files included', () => {
    const missing = 'workloads: [{ kind: trace, file: none.strace }]';
    const device = 'svm: { preferred-device: 9 }';
    expect(mistake(`${missing}\n${device}`)).toMatch(/^s\.yaml:1: key 'workloads\.0\.file'/);
    expect(mistake(`${device}\n${missing}`)).toMatch(/^s\.yaml:1: key 'svm\.preferred-device'/);
    expect(mistake(`${missing}\ncost: { preset: none }`)).toMatch(/^s\.yaml:1: key 'workloads\.0\.file'/);
  });
});

describe('whatever a file says', () => {
  const lines = readFileSync(join(configDir(), 'stress.yaml'), 'utf8').split('\n');
  const damage = fc.record({
    line: fc.nat(lines.length - 1),
    from: fc.nat(40),
    remove: fc.nat(12),
    insert: fc.oneof(
      fc.string({ maxLength: 6 }),
      fc.constantFrom(': ', '- ', '[', '{', '*a', '&a ', '0', '-1', '\n', '  '),
    ),
  });

  it('it becomes a configuration that can be cloned, or one mistake with file and line', () => {
    fc.assert(
      fc.property(fc.array(damage, { minLength: 1, maxLength: 3 }), (damages) => {
        const damaged = [...lines];
        for (const { line, from, remove, insert } of damages) {
          const text = damaged[line];
          damaged[line] = text.slice(0, from) + insert + text.slice(from + remove);
        }
        try {
          structuredClone(load(damaged.join('\n')));
        } catch (error) {
          expect(error).toBeInstanceOf(UserError);
          expect(String(error)).toMatch(/s\.yaml:\d+: (key '.*': )?found .*, allowed: /);
        }
      }),
      { numRuns: 150, seed: 1 },
    );
  });

  it('only the devices that are linked reach one another; an empty list links none', () => {
    expect(load('svm: { links: [[0, 1], [3, 2]] }').svm.interconnect).toEqual([
      [0, 1],
      [3, 2],
    ]);
    expect(load('svm: { links: [] }').svm.interconnect).toEqual([]);
  });
});

describe('loads', () => {
  it('are workloads with a thread of their own each, at their rates, without an end of their own', () => {
    const { workloads } = load(`
duration: 1s
loads: { size: 8pages, verify: true, fork: 10/s, munmap: free, join-leave: 200/s }
`);
    const common = {
      kind: 'invalidate',
      pages: 8,
      spanPages: 8,
      operations: Infinity,
      pauseUs: 0,
      launchAccesses: 64,
      verifiesCalls: true,
    };
    expect(workloads).toEqual([
      { ...common, name: 'munmap', calls: ['munmap'], ratePerSecond: Infinity },
      { ...common, name: 'fork', calls: ['fork'], ratePerSecond: 10 },
      { kind: 'join-leave', name: 'join-leave', stay: 0, atOnce: 1, operations: Infinity, pauseUs: 5000 },
    ]);
  });

  it.each([
    [
      'duration: 1s\nloads: { fork: 10 }',
      "key 'loads.fork': found 10, allowed: a rate from 0.001/s, such as 200/s, or free",
    ],
    ['duration: 1s\nloads: { fork: 0/s }', "key 'loads.fork': found 0/s"],
    ['duration: 1s\nloads: { frok: 1/s }', "key 'loads.frok': found an unknown key"],
    ['loads: { fork: 1/s }', "key 'loads.fork': found 1/s, allowed: a load in a scenario with a duration"],
  ])('%j is refused', (yaml, message) => {
    expect(mistake(yaml)).toContain(message);
  });
});
