/** How large a program is: what shrinking makes smaller, and tells from what to what. */

import { UserError } from '../../base/userError.js';
import type { SubjectSource } from '../../bugs/bugOverlay.js';
import type { Step } from '../../case/opSchemas.js';
import type { SimulationConfig } from '../../simulation/simulationConfig.js';
import { subjectOf } from '../subject.js';

export interface ProgramSize {
  /** Of a case, those within branches and of every round counted; of a scenario accesses and calls, where they have an end. */
  readonly operations: number;
  /** Of all buffers that it makes. */
  readonly pages: number;
  readonly devices: number;
  /** On all devices. */
  readonly contexts: number;
  readonly threads: number;
}

export const sizeKeys = [
  'operations',
  'pages',
  'devices',
  'contexts',
  'threads',
] as const satisfies readonly (keyof ProgramSize)[];

/** Null for a program that cannot run. */
export function programSize(source: SubjectSource): ProgramSize | null {
  try {
    const { config } = subjectOf(source);
    const devices = config.machine?.memories.length ?? config.deviceCount;
    const hardware = {
      devices,
      contexts: devices * config.device.contexts,
      threads: config.workloads.length,
    };
    return source.kind === 'case'
      ? { operations: countSteps(source.program.steps), pages: pagesMade(source.program.steps), ...hardware }
      : { ...workOf(config), ...hardware };
  } catch (error) {
    if (error instanceof UserError) return null;
    throw error;
  }
}

function countSteps(steps: readonly Step[]): number {
  return steps.reduce(
    (sum, step) => sum + (isBlock(step) ? 0 : 1) + roundsOf(step) * countSteps(innerSteps(step).flat()),
    0,
  );
}

function pagesMade(steps: readonly Step[]): number {
  return steps.reduce((sum, step) => {
    const own =
      step.op === 'mmap' && 'pages' in step.args && typeof step.args.pages === 'number' ? step.args.pages : 0;
    return sum + own + roundsOf(step) * pagesMade(innerSteps(step).flat());
  }, 0);
}

function roundsOf(step: Step): number {
  return step.op === 'repeat' || step.op === 'repeat_processes' ? step.args.count : 1;
}

/** Work without an end counts as nothing: it is no smaller with less. */
function workOf({ workloads }: SimulationConfig): Pick<ProgramSize, 'operations' | 'pages'> {
  let operations = 0;
  let pages = 0;
  for (const workload of workloads) {
    if ('pages' in workload && typeof workload.pages === 'number') pages += workload.pages;
    if (workload.kind === 'pattern') operations += workload.accesses * workload.rounds;
    if ('operations' in workload) operations += workload.operations;
  }
  return { operations: Number.isFinite(operations) ? operations : 0, pages };
}

export function isBlock({ op }: Step): boolean {
  return op === 'concurrent' || op === 'repeat' || op === 'repeat_processes';
}

export function innerSteps(step: Step): readonly (readonly Step[])[] {
  if (step.op === 'concurrent') return step.args.branches;
  return step.op === 'repeat' || step.op === 'repeat_processes' ? [step.args.steps] : [];
}
