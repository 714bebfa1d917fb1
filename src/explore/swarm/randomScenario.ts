/** Makes up a small scenario: devices, layout, sizes, operations, placement, all from one seed and within limits. */

import type { SubjectSource } from '../../bugs/bugOverlay.js';
import { Random } from '../../sim/random.js';
import { type LayoutName, layouts, placements } from '../../simulation/simulationConfig.js';
import { accessPatterns, invalidationCalls } from '../../workload/workloadConfig.js';

const SCENARIO_STREAM = 11;
const DEVICES_MAX = 3;
const CHUNKS = ['[4KiB]', '[16KiB, 4KiB]', '[64KiB, 4KiB]', '[2MiB, 64KiB, 4KiB]'] as const;
const SHARE_OF_JOINING = 0.25;
const SHARE_OF_CALLS = 0.85;

/** What is not to be left to chance. */
export interface SwarmChoices {
  readonly devices: number | null;
  readonly layout: LayoutName | null;
}

export interface RandomScenario {
  readonly source: Extract<SubjectSource, { kind: 'scenario' }>;
  /** What it is, in one line. */
  readonly summary: string;
}

/** Sizes are small: what goes wrong with hundreds of pages goes wrong with a few, in fewer steps. The same for the same seed and choices. */
export function randomScenario(seed: number, choices: SwarmChoices): RandomScenario {
  const draw = new Draw(new Random(seed, SCENARIO_STREAM));
  const devices = choices.devices ?? draw.between(1, DEVICES_MAX);
  const layout = choices.layout ?? draw.one(layouts);
  const svm = mirroring(draw, devices, layout);
  const pattern = accesses(draw);
  const disturbers = disturbances(draw, devices);
  const gpus = hardware(draw, devices);
  const lines = [
    `name: swarm-${seed}`,
    `seed: ${seed}`,
    'executor: virtual',
    'duration: 1s',
    'ram: 256pages',
    ...section('devices', gpus),
    ...section('svm', svm),
    'workloads:',
    ...item(pattern),
    ...disturbers.flatMap(item),
  ];
  const work = [pattern, ...disturbers].map(inOneLine);
  const summary = [`devices ${inOneLine(gpus)}`, `svm ${inOneLine(svm)}`, ...work].join('; ');
  return {
    source: { kind: 'scenario', path: `swarm-${seed}.yaml`, text: `${lines.join('\n')}\n`, set: [] },
    summary,
  };
}

function hardware(draw: Draw, devices: number): string[] {
  return [
    `count: ${devices}`,
    `vram: ${draw.one([2, 4, 8, 32])}pages`,
    `contexts: ${draw.between(1, 2)}`,
    `tlb-entries: ${draw.one([4, 8, 16])}`,
    `fault-batch: ${draw.one([1, 4])}`,
    'fault-buffer: 8',
    `copy-engines: ${draw.between(1, 2)}`,
  ];
}

function mirroring(draw: Draw, devices: number, layout: LayoutName): string[] {
  return [
    `layout: ${layout}`,
    `placement: ${draw.one(placements)}`,
    `preferred-device: ${draw.between(0, devices - 1)}`,
    `chunks: ${draw.one(CHUNKS)}`,
    `notifier: ${draw.one(['2MiB', '16MiB'])}`,
    `interconnect: ${draw.one(['peer', 'none'])}`,
    `timeslice: ${draw.one(['0us', '0us', '50us'])}`,
    `prefetch-together: ${draw.one(['0', '0', '2MiB'])}`,
  ];
}

/** Its own end is what the disturbances must not keep it from. */
function accesses(draw: Draw): string[] {
  return [
    'kind: pattern',
    `pattern: ${draw.one(accessPatterns)}`,
    `size: ${draw.between(1, 6)}pages`,
    'stride: 4KiB',
    `read-ratio: ${draw.one([0, 0.3, 0.7])}`,
    `sharing: ${draw.one(['shared', 'shared', 'partitioned'])}`,
    `accesses: ${draw.between(1, 3)}`,
    `rounds: ${draw.between(1, 2)}`,
    `cpu: ${draw.one(['true', 'true', 'false'])}`,
  ];
}

/** They go on until they are told to stop. */
function disturbances(draw: Draw, devices: number): string[][] {
  const pages = draw.between(1, 6);
  const calls = [
    'kind: invalidate',
    `size: ${pages}pages`,
    `calls: [${draw.some(invalidationCalls).join(', ')}]`,
    `span: ${draw.between(1, pages)}pages`,
    'operations: unlimited',
  ];
  const joining = [
    'kind: join-leave',
    `stay: ${draw.between(0, devices - 1)}`,
    `at-once: ${draw.between(1, devices)}`,
    'pause: 0us',
    'operations: unlimited',
  ];
  const withJoining = devices > 1 && draw.chance(SHARE_OF_JOINING);
  const withCalls = !withJoining || draw.chance(SHARE_OF_CALLS);
  return [...(withCalls ? [calls] : []), ...(withJoining ? [joining] : [])];
}

/** Of lines `key: value`. */
function inOneLine(lines: readonly string[]): string {
  return lines.map((line) => line.replace(': ', ' ')).join(', ');
}

function section(name: string, keys: readonly string[]): string[] {
  return [`${name}:`, ...keys.map((line) => `  ${line}`)];
}

function item(keys: readonly string[]): string[] {
  return keys.map((line, i) => `${i === 0 ? '  - ' : '    '}${line}`);
}

/** Random choices in words. */
class Draw {
  constructor(private readonly random: Random) {}

  between(least: number, most: number): number {
    return least + this.random.below(most - least + 1);
  }

  one<T>(of: readonly T[]): T {
    return of[this.random.below(of.length)];
  }

  /** At least one, in their order. */
  some<T>(of: readonly T[]): T[] {
    const chosen = of.filter(() => this.chance(0.5));
    return chosen.length > 0 ? chosen : [this.one(of)];
  }

  chance(share: number): boolean {
    return this.random.unit() < share;
  }
}
