/** The scenario file: every key with its meaning, unit, default and range. */

import { z } from 'zod';
import { SEED_MAX } from '../base/seedMax.js';
import { TASK_SIZE_PAGES } from '../base/units.js';
import {
  executors,
  LIMITS,
  layouts,
  placements,
  systemAtomics,
  thpModes,
} from '../simulation/simulationConfig.js';
import {
  accessPatterns,
  DEFAULT_INVALIDATION_CALLS,
  invalidationCalls,
  LAUNCH_ACCESSES,
  type LoadClass,
} from '../workload/workloadConfig.js';
import { costKey, eachCostKey } from './costKeys.js';
import {
  chunkSizes,
  count,
  duration,
  key,
  map,
  name,
  oneOf,
  operationRate,
  optionalKey,
  orUnlimited,
  pairs,
  powerOfTwoCount,
  powerOfTwoSize,
  ratio,
  requiredKey,
  size,
  someOf,
  text,
  yesOrNo,
} from './keys.js';
import { deviceKeys, eachDeviceKey } from './presetSchema.js';

export const workloadKinds = [
  'saxpy',
  'jacobi',
  'histogram',
  'pattern',
  'trace',
  'accesses',
  'invalidate',
  'join-leave',
] as const;

const DAY_NS = 86_400e9;
const MINUTE_NS = 60e9;
const MILLISECOND_NS = 1e6;
const COUNT_MAX = 2 ** 31 - 1;
/** The whole user address space. */
const NOTIFIER_PAGES_MAX = TASK_SIZE_PAGES;

const physicalSize = size(1, LIMITS.physicalPagesMax);
const unlimitedCount = orUnlimited(count(1, COUNT_MAX));

const devices = map({
  count: key(
    count(1, LIMITS.devicesMax),
    4,
    'GPUs, each with VRAM, page table, TLB and copy engines of its own.',
  ),
  vram: key(physicalSize, '64MiB', 'Memory of each device.'),
  contexts: key(
    count(1, LIMITS.contextsMax),
    16,
    'Contexts per device that stall on a fault while the others run.',
  ),
  'tlb-entries': key(powerOfTwoCount(1, 65_536), 64, 'Translations that the TLB of a device holds.'),
  ...eachDeviceKey((key) => optionalKey(deviceKeys[key].value, 'that of the preset', deviceKeys[key].doc)),
  'clear-vram': key(
    yesOrNo(),
    false,
    'Whether new memory of a device is cleared before pages migrate to it, which waits for that.',
  ),
  'system-atomics': key(
    oneOf(systemAtomics),
    'none',
    'What atomics of a device on pages in RAM do. none: they need the page in its VRAM; device: they work, but only its own units see them as atomic; coherent: for the CPU and other devices too.',
  ),
});

const svm = map({
  layout: key(
    oneOf(layouts),
    'n1',
    'n1: one address-space mirror with one range and notifier per span for all devices; n1-shared-fault: the same, and one HMM fault maps a span for all of them; one-to-one: a mirror per device.',
  ),
  chunks: key(
    chunkSizes(LIMITS.chunkPagesMax),
    ['2MiB', '64KiB', '4KiB'],
    'Sizes that a range may have; the largest that fits its mapping is taken.',
  ),
  notifier: key(
    powerOfTwoSize(1, NOTIFIER_PAGES_MAX),
    '512MiB',
    'Address window of one interval notifier; at least the largest chunk.',
  ),
  placement: key(
    oneOf(placements),
    'migrate',
    'Where a faulting page goes. migrate: to the faulting device; migrate-system-pages: there only from RAM, while a page in the VRAM of another device is mapped where it is; system: it stays in RAM; preferred: to preferred-device.',
  ),
  'preferred-device': key(
    count(0, LIMITS.devicesMax - 1),
    0,
    'Device that placement preferred moves pages to, from 0.',
  ),
  interconnect: key(
    oneOf(['peer', 'none']),
    'peer',
    'peer: devices reach the VRAM of one another; none: pages move between devices through RAM.',
  ),
  links: optionalKey(
    pairs((LIMITS.devicesMax * (LIMITS.devicesMax - 1)) / 2),
    'every two devices',
    'Pairs of devices, from 0, that have a link with interconnect peer; the others move pages through RAM. A device owns pages together with those of the first group of which it is linked to every member.',
  ),
  timeslice: key(
    duration(0, MINUTE_NS, 'microseconds'),
    0,
    'A page that was just migrated to a device stays there at least this long.',
  ),
  'atomic-timeslice': key(
    duration(0, MINUTE_NS, 'nanoseconds'),
    '5ms',
    'The same where an atomic needs the page in the VRAM of the device; at least the timeslice counts.',
  ),
  prefetch: key(
    size(0, TASK_SIZE_PAGES),
    0,
    'Memory after the range of a fault, within its mapping, that is brought to the device before it asks for it.',
  ),
  'prefetch-together': key(
    size(0, LIMITS.chunkPagesMax),
    0,
    'Where a program asks for a prefetch as of xe, ranges side by side migrate together, in aligned blocks of up to so much, as amdgpu and nouveau migrate; 0: one by one, as xe does. Those of `prefetch` and of KFD always go one by one.',
  ),
  'migrate-min': key(
    size(1, LIMITS.chunkPagesMax),
    '4KiB',
    'Smaller ranges stay in RAM, as on devices that need pages of 64KiB in VRAM.',
  ),
});

const cost = map({
  preset: key(
    text(200),
    'plain',
    'Numbers of the cost model: a name in config/presets, or the path of a preset file (ending in .yaml) from the scenario.',
  ),
  ...eachCostKey((key) => optionalKey(costKey(key).value, 'that of the preset', costKey(key).doc)),
});

const workloadName = optionalKey(
  name(),
  'the kind, numbered when it repeats',
  'Names the workload in results.',
);

const saxpy = map({
  kind: z.literal('saxpy'),
  name: workloadName,
  elements: key(
    count(1, COUNT_MAX),
    1_048_576,
    'Length of x and of y, 4-byte floats; each device takes its share.',
  ),
  rounds: key(count(1, COUNT_MAX), 2, 'Times that y = a*x + y is computed.'),
});

const jacobi = map({
  kind: z.literal('jacobi'),
  name: workloadName,
  rows: key(count(3, 65_536), 512, 'Rows of the grid, borders included; split over all devices.'),
  columns: key(count(3, 65_536), 512, 'Columns of the grid, borders included, 4-byte floats.'),
  iterations: key(count(1, COUNT_MAX), 10, 'Relaxation steps over the whole grid.'),
});

const histogram = map({
  kind: z.literal('histogram'),
  name: workloadName,
  samples: key(count(1, COUNT_MAX), 262_144, '4-byte random samples that the devices share among them.'),
  bins: key(count(1, 1_048_576), 256, '4-byte counters that every device adds to with atomics.'),
});

const pattern = map({
  kind: z.literal('pattern'),
  name: workloadName,
  pattern: key(oneOf(accessPatterns), 'uniform', 'How addresses follow one another.'),
  size: key(physicalSize, '4MiB', 'Buffer that the accesses go to.'),
  stride: key(physicalSize, '64KiB', 'Distance of one access from the next; pattern strided only.'),
  'read-ratio': key(ratio(), 0.5, 'Share of loads; the rest are stores.'),
  sharing: key(
    oneOf(['shared', 'partitioned']),
    'shared',
    'shared: every actor works on the whole buffer; partitioned: each on its own part.',
  ),
  accesses: key(count(1, COUNT_MAX), 256, 'Accesses per context and round.'),
  rounds: key(unlimitedCount, 4, 'Rounds; unlimited needs a duration.'),
  cpu: key(yesOrNo(), true, 'Whether the CPU thread of the workload takes part in the accesses.'),
});

const trace = map({
  kind: z.literal('trace'),
  name: workloadName,
  file: requiredKey(
    text(4096),
    'Output of strace -f -ttt of a program; the path is relative to the scenario file.',
  ),
  'touch-pages': key(count(0, COUNT_MAX), 16, 'Pages touched in each mapping of the program, at most.'),
  'device-accesses': key(
    count(0, COUNT_MAX),
    8,
    'Accesses per GPU context for each hundred calls of the program.',
  ),
});

const accesses = map({
  kind: z.literal('accesses'),
  name: workloadName,
  file: requiredKey(
    text(4096),
    'Table of comma-separated values with the columns time, device, address, size and kind, as docs/recording.md says; the path is relative to the scenario file.',
  ),
  window: key(
    count(1, COUNT_MAX),
    1000,
    'Accesses of all devices and the CPU between two points at which they wait for one another; the recorded order holds from window to window.',
  ),
});

const invalidationKeys = {
  threads: key(count(1, LIMITS.cpuThreadsMax), 1, 'CPU threads, each with a buffer of its own.'),
  size: key(physicalSize, '64pages', 'Buffer of each thread, which the devices access too.'),
  calls: key(
    someOf(invalidationCalls),
    [...DEFAULT_INVALIDATION_CALLS],
    'What takes turns: system calls; fork, with a child that checks what it sees; cpu-fault, a load or store; evict, which empties the memory of a device; prefetch, to a device or to RAM.',
  ),
  span: key(physicalSize, '8pages', 'Memory that one call works on, at most; no more than the size.'),
  operations: key(unlimitedCount, 200, 'Calls per thread; unlimited needs a duration.'),
  pause: key(duration(0, MINUTE_NS, 'microseconds'), 0, 'Wait between two calls.'),
  accesses: key(
    count(1, COUNT_MAX),
    LAUNCH_ACCESSES,
    'Accesses of each GPU context in one launch; every device is launched again and again until the last call.',
  ),
};

const invalidate = map({ kind: z.literal('invalidate'), name: workloadName, ...invalidationKeys });
const invalidation = map(invalidationKeys);

const joinLeaveKeys = {
  pause: key(
    duration(0, MINUTE_NS, 'microseconds'),
    '5ms',
    'Wait between two changes, on average: the rate.',
  ),
  stay: key(count(0, LIMITS.devicesMax - 1), 0, 'Devices that never leave, from gpu0 on.'),
  'at-once': key(count(1, LIMITS.devicesMax), 2, 'Devices that join or leave at the same time, at most.'),
  operations: key(unlimitedCount, 100, 'Joins and leaves; unlimited needs a duration.'),
};

const joinLeave = map({ kind: z.literal('join-leave'), name: workloadName, ...joinLeaveKeys });
const joiningAndLeaving = map(joinLeaveKeys);

const loadDocs: Readonly<Record<LoadClass, string>> = {
  munmap: 'munmap of a piece of its buffer, and mmap anew.',
  mprotect: 'mprotect to read-only or no access, and back.',
  madvise: 'MADV_DONTNEED of a piece.',
  mremap: 'mremap of a piece to another place, and back.',
  fork: 'fork while devices store, a child that checks what it sees and stores, and its end.',
  'cpu-fault': 'A load or store of the CPU where devices have the pages.',
  evict: 'All that migrated to a device comes home.',
  prefetch: 'A piece is asked for in the memory of a device, or in RAM.',
  'join-leave': 'A device leaves the process, or joins it again.',
  trace: 'A whole replay of a recorded program.',
};

const loadRate = (load: LoadClass) => optionalKey(operationRate(), 'no such load', loadDocs[load]);

const loadsOfStress = map({
  munmap: loadRate('munmap'),
  mprotect: loadRate('mprotect'),
  madvise: loadRate('madvise'),
  mremap: loadRate('mremap'),
  fork: loadRate('fork'),
  'cpu-fault': loadRate('cpu-fault'),
  evict: loadRate('evict'),
  prefetch: loadRate('prefetch'),
  'join-leave': loadRate('join-leave'),
  trace: loadRate('trace'),
  size: key(physicalSize, '256pages', 'Buffer of each load that has one, which the devices access too.'),
  span: key(physicalSize, '32pages', 'Memory that one operation works on, at most; no more than the size.'),
  verify: key(
    yesOrNo(),
    false,
    'After each operation all that it worked on is loaded and compared, beside what every load checks.',
  ),
  'trace-file': optionalKey(
    text(4096),
    'a parallel sort that comes with svmsim',
    'What the load trace replays: output of strace -f -ttt; the path is relative to the scenario file.',
  ),
});

const workload = z.discriminatedUnion(
  'kind',
  [saxpy, jacobi, histogram, pattern, trace, accesses, invalidate, joinLeave],
  {
    error: ({ code }) => (code === 'invalid_union' ? workloadKinds.join(', ') : "a map with the key 'kind'"),
  },
);

const at = key(
  duration(0, DAY_NS, 'nanoseconds'),
  0,
  'When, of the clock that the executor has; a run that ends before leaves it out.',
);
const eventDevice = key(count(0, LIMITS.devicesMax - 1), 0, 'Which device, from 0.');

const prefetchEvent = map({
  kind: z.literal('prefetch'),
  at,
  to: key(
    oneOf(['device', 'ram']),
    'device',
    'device: what is mapped moves to the VRAM of the device, which maps it; ram: it comes home.',
  ),
  device: eventDevice,
  workload: optionalKey(name(), 'all memory of the process', 'Whose buffers.'),
});

const unbindEvent = map({ kind: z.literal('unbind'), at, device: eventDevice });

const event = z.discriminatedUnion('kind', [prefetchEvent, unbindEvent], {
  error: ({ code }) => (code === 'invalid_union' ? 'prefetch, unbind' : "a map with the key 'kind'"),
});

export const scenarioSchema = map({
  name: optionalKey(name(), 'the name of the file', 'Names the scenario in results.'),
  description: optionalKey(text(2000), 'none', 'What the scenario shows, for those who read it.'),
  seed: key(
    count(0, SEED_MAX),
    1,
    'Of every random choice; one seed gives one run under the virtual executor.',
  ),
  executor: key(
    oneOf(executors),
    'threads',
    'threads: every actor in a worker thread of its own, in wall-clock time; virtual: all on one thread, in simulated time.',
  ),
  duration: key(
    orUnlimited(duration(MILLISECOND_NS, DAY_NS, 'milliseconds')),
    'unlimited',
    'Wall time (threads) or simulated time (virtual) after which workloads without an end stop; unlimited: when all work is done.',
  ),
  ram: key(physicalSize, '256MiB', 'System memory.'),
  thp: key(
    oneOf(thpModes),
    'madvise',
    'Which mappings get transparent huge pages of 2MiB at their first touch. never: none; madvise: those for which a program asked; always: all that are large enough.',
  ),
  devices: devices.prefault({}).describe('The GPUs; all are alike.'),
  svm: svm.prefault({}).describe('How the address space is mirrored.'),
  cost: cost
    .prefault({})
    .describe('Simulated time of each step: a preset, and numbers that replace those of the preset.'),
  workloads: z
    .array(workload, { error: () => 'a list of workloads' })
    .prefault([])
    .describe('What runs; each on a CPU thread of its own, together with every device.'),
  events: z
    .array(event, { error: () => 'a list of events' })
    .prefault([])
    .describe(
      'What happens at certain moments. prefetch: the program brings memory to a device, or home; unbind: the driver lets go of a device, whose memory comes home and is used no more.',
    ),
  'join-leave': joiningAndLeaving
    .optional()
    .describe(
      'Devices that keep leaving the process and joining it again, with work waiting for them: short for a workload of kind join-leave.',
    ),
  loads: loadsOfStress
    .optional()
    .describe(
      'Classes of load, each with a CPU thread of its own, with how often each comes: what `svmsim stress` tells of one by one.',
    ),
  invalidation: invalidation
    .optional()
    .describe(
      'Threads that keep invalidating memory under the devices: short for workloads of kind invalidate.',
    ),
});

/** As a scenario file says it; what is left out has its default. */
export type ScenarioKeys = z.input<typeof scenarioSchema>;
/** In pages, nanoseconds and counts; defaults are filled in. */
export type Scenario = z.output<typeof scenarioSchema>;
export type ScenarioWorkload = Scenario['workloads'][number];
export type ScenarioEvent = Scenario['events'][number];
export type ScenarioLoads = NonNullable<Scenario['loads']>;
