/** Programs that are a little smaller than a given one: a step, a branch, pages or a device less. */

import type { SubjectSource } from '../../bugs/bugOverlay.js';
import { type Case, caseSchema } from '../../case/caseSchema.js';
import { stepOf } from '../../case/evaluate.js';
import type { Step } from '../../case/opSchemas.js';

/** Keys of a scenario that can be halved, by what the file says of them or the default. */
const countKeys = [
  'devices.count',
  'devices.contexts',
  'invalidation.threads',
  'invalidation.operations',
  'workloads.0.accesses',
  'workloads.0.rounds',
] as const;

/** The largest cuts first. Not every one of them needs to be a program that can run. */
export function smallerSources(source: SubjectSource): SubjectSource[] {
  return source.kind === 'case' ? smallerCases(source.program) : smallerScenarios(source);
}

/** Operations of a case, those within branches counted; of a scenario nothing is known. */
export function operationsOf(source: SubjectSource): number {
  return source.kind === 'case' ? countSteps(source.program.steps) : 0;
}

function countSteps(steps: readonly Step[]): number {
  return steps.reduce((sum, step) => sum + (isBlock(step) ? 0 : 1) + countSteps(innerSteps(step).flat()), 0);
}

function smallerCases(program: Case): SubjectSource[] {
  const cut = [...smallerLists(program.steps), ...fewerPages(program.steps)];
  return cut.flatMap((steps) => {
    const expect = program.expect.filter((expectation) => {
      const label = stepOf(expectation);
      return label === null || hasLabel(steps, label);
    });
    const parsed = caseSchema.safeParse({ ...program, steps, expect });
    return parsed.success ? [{ kind: 'case', program: parsed.data }] : [];
  });
}

/** Each with one step less, or with one branch of a block less, or with the steps of a block of one branch in its place. */
function smallerLists(steps: readonly Step[]): Step[][] {
  return steps.flatMap((step, i) => {
    const replaced = (...by: readonly Step[]): Step[] => [...steps.slice(0, i), ...by, ...steps.slice(i + 1)];
    if (step.op !== 'concurrent') return [replaced()];
    const { branches } = step.args;
    const withBranches = (changed: readonly (readonly Step[])[]): Step[] =>
      changed.length === 1 ? replaced(...changed[0]) : replaced({ ...step, args: { branches: changed } });
    const fewer = branches.map((_, b) => withBranches(branches.filter((_other, other) => other !== b)));
    const shorter = branches.flatMap((branch, b) =>
      smallerLists(branch)
        .filter((list) => list.length > 0)
        .map((list) => withBranches(branches.map((other, at) => (at === b ? list : other)))),
    );
    return [replaced(), ...fewer, ...shorter];
  });
}

/** Every buffer with half of its pages, and every span cut to fit. */
function fewerPages(steps: readonly Step[]): Step[][] {
  const most = Math.max(1, ...steps.map(pagesOf));
  if (most === 1) return [];
  const limit = Math.floor(most / 2);
  const cut = (step: Step): unknown => {
    if (step.op === 'concurrent')
      return { ...step, args: { branches: step.args.branches.map((branch) => branch.map(cut)) } };
    return pagesOf(step) > limit ? { ...step, args: { ...step.args, pages: limit } } : step;
  };
  const parsed = caseSchema.shape.steps.safeParse(steps.map(cut));
  return parsed.success ? [parsed.data] : [];
}

function pagesOf(step: Step): number {
  return 'pages' in step.args && step.args.pages !== undefined ? step.args.pages : 1;
}

function hasLabel(steps: readonly Step[], label: string): boolean {
  return steps.some((step) => step.as === label || hasLabel(innerSteps(step).flat(), label));
}

function isBlock({ op }: Step): boolean {
  return op === 'concurrent' || op === 'repeat' || op === 'repeat_processes';
}

function innerSteps(step: Step): readonly (readonly Step[])[] {
  if (step.op === 'concurrent') return step.args.branches;
  return step.op === 'repeat' || step.op === 'repeat_processes' ? [step.args.steps] : [];
}

/** Whatever a key is now, half of its last setting; halving goes on as long as the failure comes. */
function smallerScenarios(source: Extract<SubjectSource, { kind: 'scenario' }>): SubjectSource[] {
  return countKeys.flatMap((key) => {
    const now = settingOf(source.set, key);
    const next = now === null ? [8, 4, 2, 1] : [Math.floor(now / 2)];
    return next
      .filter((value) => value >= 1)
      .map((value) => ({ ...source, set: [...without(source.set, key), `${key}=${value}`] }));
  });
}

function settingOf(set: readonly string[], key: string): number | null {
  const found = set.findLast((assignment) => assignment.startsWith(`${key}=`));
  const value = Number(found?.slice(key.length + 1));
  return found === undefined || !Number.isInteger(value) ? null : value;
}

function without(set: readonly string[], key: string): string[] {
  return set.filter((assignment) => !assignment.startsWith(`${key}=`));
}
