/** The machine that a case runs on: as small as the case allows, since building it is most of what a short case costs. */

import { alignDown, alignUp, PAGE_BYTES, PMD_PAGES, pagesFor } from '../../base/units.js';
import { threadsBeside } from '../../case/blockThreads.js';
import type { Case } from '../../case/caseSchema.js';
import type { PlainOp, Step } from '../../case/opSchemas.js';
import { NO_FAULT_PATH_COSTS } from '../../driver/fault/faultPath.js';
import { ZoneKind } from '../../memory/zone.js';
import { ALLOC_PAGES } from '../../workload/case/attributeOps.js';
import { mirrorCanDo } from '../../workload/case/opTable.js';
import type { CaseConfig, CaseDriver } from '../../workload/workloadConfig.js';
import type { CostConfig, ExecutorName, MachineSpec, SimulationConfig } from '../simulationConfig.js';

/** Round numbers of no machine in particular: cases are about order, and all that they need of modelled time is that it passes. */
const COST: CostConfig = {
  preset: 'case',
  peers: 'direct',
  devicesPerSwitch: 0,
  hostLinkGBps: 26,
  hostDuplexGBps: Number.POSITIVE_INFINITY,
  hostUplinkGBps: Number.POSITIVE_INFINITY,
  hostMemoryGBps: Number.POSITIVE_INFINITY,
  peerLinkGBps: 48,
  peerDuplexGBps: Number.POSITIVE_INFINITY,
  vramGBps: 900,
  copyEngineGBps: Number.POSITIVE_INFINITY,
  linkLatencyNs: 0,
  peerLatencyNs: 0,
  hopLatencyNs: 0,
  // With the start of the transfer, which would be one more step of its own.
  copySetupNs: 2_400,
  kernelLaunchNs: 1_000,
  gpuFaultNs: 20_000,
  gpuFaultEntryNs: 0,
  faultPathNs: NO_FAULT_PATH_COSTS,
  gpuTlbInvalidateNs: 5_000,
  gpuBindNs: 0,
  gpuPteWriteNs: 10,
  cpuFaultNs: 1_000,
  cpuAccessNs: 80,
  migratePageNs: 1_150,
  hmmPageNs: 300,
  cpuTlbShootdownNs: 4_000,
  syscallNs: 200,
};

/** Room beside what the case maps: page cache of nothing, the zero page, pages that are copied while both exist. */
const SPARE_PAGES = 128;
const SPARE_TABLES = 32;
/** Of a buffer: its leaf, and the levels above it where they are its own. */
const TABLES_PER_BUFFER = 4;
const TABLES_PER_PROCESS = 8;
/** Chunks of a test device's memory, each with room for everything: those that were removed may still be in use. */
const MIRROR_CHUNKS = 3;
/** How many times the device memory the buffers are of cases that fill it without saying how large it is. */
const OVERCOMMIT = 1.5;
const PAYLOAD_SPARE_BYTES = PAGE_BYTES;

/** Commands that are those of the test device, unless the case has operations that only GPUs of the reference driver know. */
const mirrorOps: ReadonlySet<PlainOp> = new Set([
  'snapshot',
  'migrate_to_device',
  'migrate_to_sys',
  'exclusive',
  'check_exclusive',
  'evict_device',
  'inject_alloc_failure',
]);

/** What only the test device tells of its commands. */
const mirrorExpectations: ReadonlySet<string> = new Set(['cpages', 'faults', 'prot']);

/** Transfer buffers are no larger than this, however many pages a step names: such a step is there to be refused. */
const TRANSFER_PAGES_MAX = 16 * PMD_PAGES;

/** What a case needs of a machine. */
interface Needs {
  /** Pages of all mappings and files. */
  pages: number;
  /** Of the largest buffer. */
  largest: number;
  /** Of the longest span that a step of {@link contentOps} names. */
  longestSpan: number;
  buffers: number;
  processes: number;
  devices: number;
  threads: number;
  /** It has what the test device is known for. */
  namesMirror: boolean;
  /** It needs what only GPUs of the reference driver have; these can be given what the test device is known for, too. */
  needsReference: boolean;
  /** It asks for more device memory than there should be. */
  overcommits: boolean;
  /** Small pages are to become huge ones. */
  collapses: boolean;
  /** Huge pages of hugetlb mappings, those that processes copy from one another included. */
  hugetlbPages: number;
  coherent: Set<string>;
}

export function caseDriver(one: Case): CaseDriver {
  return driverOf(needsOf(one));
}

function driverOf({ namesMirror, needsReference }: Needs): CaseDriver {
  return namesMirror && !needsReference ? 'mirror' : 'reference';
}

export function caseMachine(one: Case, executor: ExecutorName, seed: number): SimulationConfig {
  const needs = needsOf(one);
  const driver = driverOf(needs);
  const machine = machineOf(needs, driver, one.params);
  return {
    name: one.name,
    seed,
    executor,
    // Huge pages need aligned room, and those that small pages are to become need it among these.
    ramPages:
      alignUp((needs.collapses ? 4 : 2) * needs.pages * needs.processes + SPARE_PAGES, 64) +
      hugetlbRam(needs),
    deviceCount: driver === 'mirror' ? 0 : needs.devices,
    device: {
      vramPages: machine.memories[0]?.pages ?? PMD_PAGES,
      contexts: 1,
      tlbEntries: 64,
      faultBatch: 16,
      faultBufferEntries: 64,
      copyEngines: 1,
    },
    svm: {
      layout: driver === 'mirror' ? 'one-to-one' : 'n1',
      chunkPages: [PMD_PAGES, 16, 1],
      notifierPages: 4 * PMD_PAGES,
      placement: 'migrate',
      preferredDevice: 0,
      interconnect: interconnectOf(one.params, needs),
      timesliceUs: 0,
    },
    cost: COST,
    workloads: Array.from({ length: needs.threads }, (_, thread) => threadConfig(one, driver, thread, needs)),
    durationMs: Number.POSITIVE_INFINITY,
    machine,
  };
}

function threadConfig(program: Case, driver: CaseDriver, thread: number, { threads }: Needs): CaseConfig {
  const name = thread === 0 ? program.name : `${program.name} (thread ${thread})`;
  return { kind: 'case', name, program, driver, thread, threads };
}

function machineOf(needs: Needs, driver: CaseDriver, params: Case['params']): MachineSpec {
  const everything = alignUp(needs.pages * needs.processes + SPARE_PAGES, 64);
  const memoryPages = driver === 'mirror' ? MIRROR_CHUNKS * everything : vramPages(needs, params);
  const leaves = Math.ceil((2 * needs.pages) / PMD_PAGES);
  return {
    driver,
    memories: Array.from({ length: needs.devices }, (_, i) => ({
      pages: memoryPages,
      kind: needs.coherent.has(`gpu${i}`) ? ZoneKind.DeviceCoherent : ZoneKind.DevicePrivate,
    })),
    tables:
      (leaves + TABLES_PER_BUFFER * needs.buffers + TABLES_PER_PROCESS) * needs.processes + SPARE_TABLES,
    pageArrays: driver === 'mirror' ? 4 : 64,
    ringMessages: 64,
    payloadBytes: transferPages(needs) * PAGE_BYTES + PAYLOAD_SPARE_BYTES,
    mirrorChunkPages: everything,
    hugetlbPages: needs.hugetlbPages,
  };
}

/** Coherent memory is memory that whoever else is there reaches. */
function interconnectOf(params: Case['params'], { coherent }: Needs): 'none' | 'peer' {
  return params?.interconnect === 'none' && coherent.size === 0 ? 'none' : 'peer';
}

/** The case may say how much it has, so that there is too little of it. */
function vramPages(needs: Needs, params: Case['params']): number {
  const told = params?.vram_bytes;
  if (typeof told === 'number') return alignUp(pagesFor(told), PMD_PAGES);
  const everything = needs.pages * needs.processes + SPARE_PAGES;
  if (!needs.overcommits) return alignUp(everything, PMD_PAGES);
  return Math.max(PMD_PAGES, alignDown(everything / OVERCOMMIT, PMD_PAGES));
}

function needsOf({ steps, expect }: Case): Needs {
  const needs: Needs = {
    pages: 0,
    largest: 1,
    longestSpan: 1,
    buffers: 1,
    processes: 1,
    devices: 0,
    threads: 1,
    namesMirror: expect.some(({ type }) => mirrorExpectations.has(type)),
    needsReference: false,
    overcommits: false,
    collapses: false,
    hugetlbPages: 0,
    coherent: new Set(),
  };
  countSteps(steps, 1, needs);
  needs.threads += threadsBeside(steps);
  needs.hugetlbPages *= needs.processes;
  return needs;
}

function countSteps(steps: readonly Step[], rounds: number, needs: Needs): void {
  for (const step of steps) countStep(step, rounds, needs);
}

function countStep(step: Step, rounds: number, needs: Needs): void {
  countDriver(step, needs);
  countDevices(step, needs);
  countTransfer(step, needs);
  if (needsSomeDevice(step)) needs.devices = Math.max(needs.devices, 1);
  switch (step.op) {
    case 'mmap':
      if (step.args.backing === 'hugetlb')
        needs.hugetlbPages += rounds * Math.ceil(step.args.pages / PMD_PAGES);
      countBuffer(step.args.pages, rounds, needs);
      break;
    case 'file_create':
      countBuffer(step.args.pages, rounds, needs);
      break;
    case 'mremap':
      needs.buffers += rounds;
      break;
    case 'fork':
      needs.processes += rounds;
      break;
    case 'madvise':
      if (step.args.advice === 'collapse') needs.collapses = true;
      break;
    case 'bind_mirror':
      if (step.args.kind !== undefined) needs.namesMirror = true;
      if (step.args.kind === 'coherent') needs.coherent.add(step.args.dev);
      break;
    case 'alloc_and_register':
      needs.pages += rounds * step.args.count * (step.args.pages ?? ALLOC_PAGES);
      needs.buffers += rounds * step.args.count;
      if (step.args.pages === undefined) needs.overcommits = true;
      break;
    case 'gpuvm_insert':
    case 'gpuvm_sm_map':
    case 'gpuvm_bind_bo':
      needs.pages += step.args.bo_off + step.args.end - step.args.start;
      needs.buffers++;
      break;
    case 'bind_bo':
      needs.pages += rounds * (step.args.pages ?? needs.largest);
      break;
    case 'concurrent':
      for (const branch of step.args.branches) countSteps(branch, rounds, needs);
      break;
    case 'repeat':
      countSteps(step.args.steps, rounds * step.args.count, needs);
      break;
    case 'repeat_processes':
      // They end with the block, so that those of the next round need no more; those that they fork may stay.
      needs.processes += step.args.count;
      countSteps(step.args.steps, rounds, needs);
      needs.processes += rounds * (step.args.count - 1) * forksIn(step.args.steps);
      break;
  }
}

/** Steps that mean the first device, or any that there is, where they name none. */
function needsSomeDevice({ op, args }: Step): boolean {
  if (op === 'mmap') return args.backing === 'device_file';
  return /^(gpuvm|bo)_|^gpu_store_va$|^migrate_hint$|^alloc_and_register$/.test(op);
}

/** Blocks tell by their steps. */
function countDriver({ op }: Step, needs: Needs): void {
  if (op === 'concurrent' || op === 'repeat' || op === 'repeat_processes' || op === 'barrier') return;
  if (mirrorOps.has(op)) needs.namesMirror = true;
  if (!mirrorCanDo(op)) needs.needsReference = true;
}

/** Forks of each run of the steps. */
function forksIn(steps: readonly Step[]): number {
  const ofStep = (step: Step): number => {
    switch (step.op) {
      case 'fork':
        return 1;
      case 'concurrent':
        return forksIn(step.args.branches.flat());
      case 'repeat':
      case 'repeat_processes':
        return step.args.count * forksIn(step.args.steps);
      default:
        return 0;
    }
  };
  return steps.reduce((sum, step) => sum + ofStep(step), 0);
}

/** Aligned blocks of RAM. */
function hugetlbRam({ hugetlbPages }: Needs): number {
  return hugetlbPages === 0 ? 0 : (hugetlbPages + 1) * PMD_PAGES;
}

function countBuffer(pages: number, rounds: number, needs: Needs): void {
  needs.pages += rounds * pages;
  needs.largest = Math.max(needs.largest, pages);
  needs.buffers += rounds;
}

/** Of the steps by which devices read or write content, how much of it there is. */
const contentOps: ReadonlySet<Step['op']> = new Set([
  'gpu_read',
  'gpu_write',
  'gpu_add',
  'gpu_xor',
  'migrate_to_device',
  'exclusive',
]);

function countTransfer({ op, args }: Step, needs: Needs): void {
  if (!('pages' in args) || args.pages === undefined) return;
  needs.largest = Math.max(needs.largest, Math.min(args.pages, TRANSFER_PAGES_MAX));
  if (contentOps.has(op)) needs.longestSpan = Math.max(needs.longestSpan, args.pages);
}

/** A span may reach beyond the buffer that it names, into those that were mapped behind it; or beyond all, to be refused. */
function transferPages({ pages, largest, longestSpan }: Needs): number {
  return Math.max(largest, Math.min(longestSpan, pages));
}

const deviceName = /^gpu(\d+)$/;
/** Arguments that name something else, whatever it is called, and steps, which are counted by themselves. */
const otherNames: ReadonlySet<string> = new Set([
  'proc',
  'child',
  'buf',
  'new_buf',
  'bufs',
  'ranges',
  'file',
  'bo',
  'queue',
  'steps',
  'branches',
]);

/** Any other argument may name a device, or hold what does. */
function countDevices(step: Step, needs: Needs): void {
  const node = step.op === 'mmap' && step.args.backing === 'device_file' ? step.args.file : undefined;
  needs.devices = Math.max(needs.devices, devicesIn(step.args), devicesIn(node));
}

/** One more than the highest number of a device. */
function devicesIn(value: unknown): number {
  if (typeof value === 'string') return 1 + Number(deviceName.exec(value)?.[1] ?? -1);
  if (typeof value !== 'object' || value === null) return 0;
  const within = Object.entries(value).filter(([key]) => !otherNames.has(key));
  return Math.max(0, ...within.map(([, inner]) => devicesIn(inner)));
}
