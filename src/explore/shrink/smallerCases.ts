/** Cases that are a little smaller than a given one: a step, a branch, a round or pages less. */

import type { SubjectSource } from '../../bugs/bugOverlay.js';
import { type Case, caseSchema } from '../../case/caseSchema.js';
import { labelsOf } from '../../case/expectedSteps.js';
import type { ConcurrentStep, RepeatProcessesStep, RepeatStep, Step } from '../../case/opSchemas.js';
import { innerSteps } from './programSize.js';
import { smallerNumbers } from './smallerNumbers.js';

/** The largest cuts first. Not every one of them needs to hold together. */
export function smallerCases(program: Case): SubjectSource[] {
  const { steps, expect } = program;
  const cut = [...withoutRuns(steps), ...smallerLists(steps), ...fewerPages(steps)];
  const cases = [...cut.map((fewer) => ({ steps: fewer, expect })), ...halved(program)];
  return cases.flatMap((one) => {
    const expected = one.expect.filter((expectation) =>
      labelsOf(expectation).every((label) => hasLabel(one.steps, label)),
    );
    const parsed = caseSchema.safeParse({ ...program, steps: one.steps, expect: expected });
    return parsed.success ? [{ kind: 'case', program: parsed.data }] : [];
  });
}

/** Each with a run of steps less, long ones first. */
function withoutRuns(steps: readonly Step[]): Step[][] {
  const cut: Step[][] = [];
  for (let size = steps.length >> 1; size > 1; size >>= 1) {
    for (let at = 0; at < steps.length; at += size)
      cut.push([...steps.slice(0, at), ...steps.slice(at + size)]);
  }
  return cut;
}

/** Each with one step less, or with a block that does less, or with the steps of a block in its place. */
function smallerLists(steps: readonly Step[]): Step[][] {
  return steps.flatMap((step, i) =>
    [[], ...smallerBlocks(step)].map((by) => [...steps.slice(0, i), ...by, ...steps.slice(i + 1)]),
  );
}

/** What can stand in place of a block; nothing for a plain step. */
function smallerBlocks(step: Step): (readonly Step[])[] {
  switch (step.op) {
    case 'concurrent':
      return smallerBranches(step);
    case 'repeat':
      return [...fewerRounds(step), ...firstRound(step)];
    case 'repeat_processes':
      return fewerRounds(step);
    default:
      return [];
  }
}

function smallerBranches(step: ConcurrentStep): (readonly Step[])[] {
  const { branches } = step.args;
  const withBranches = (changed: readonly (readonly Step[])[]): readonly Step[] =>
    changed.length === 1 ? changed[0] : [{ ...step, args: { branches: changed } }];
  const fewer = branches.map((_, b) => withBranches(branches.filter((_other, other) => other !== b)));
  const shorter = branches.flatMap((branch, b) =>
    shorterLists(branch).map((list) => withBranches(branches.map((other, at) => (at === b ? list : other)))),
  );
  return [...fewer, ...shorter];
}

function fewerRounds<S extends RepeatStep | RepeatProcessesStep>(step: S): S[][] {
  const { count, steps } = step.args;
  const fewer = smallerNumbers(count, 1).map((rounds) => [{ ...step, args: { count: rounds, steps } }]);
  const shorter = shorterLists(steps).map((list) => [{ ...step, args: { count, steps: list } }]);
  return [...fewer, ...shorter];
}

/** Its steps without the repetition, unless one within it has rounds of its own, which names could be about. */
function firstRound({ args }: RepeatStep): (readonly Step[])[] {
  if (args.steps.some((step) => isRepeated(step))) return [];
  const parsed = caseSchema.shape.steps.safeParse(
    withNames(args.steps, (text) => text.replaceAll('$i', '0')),
  );
  return parsed.success ? [parsed.data] : [];
}

function isRepeated(step: Step): boolean {
  return step.op === 'repeat' || innerSteps(step).flat().some(isRepeated);
}

function withNames(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === 'string') return change(value);
  if (Array.isArray(value)) return value.map((entry) => withNames(entry, change));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, withNames(entry, change)]));
}

/** Those that are left empty are what leaving out the block is for. */
function shorterLists(steps: readonly Step[]): Step[][] {
  return [...withoutRuns(steps), ...smallerLists(steps)].filter((list) => list.length > 0);
}

/** Every buffer with one page or with half of its pages, and every span cut to fit. Half of them may take more steps than all: ranges have few sizes. */
function fewerPages(steps: readonly Step[]): Step[][] {
  const most = mostPages(steps);
  const limits = [...new Set([1, Math.floor(most / 2)])].filter((limit) => limit < most);
  return limits.flatMap((limit) => {
    const parsed = caseSchema.shape.steps.safeParse(steps.map((step) => cutTo(step, limit)));
    return parsed.success ? [parsed.data] : [];
  });
}

function cutTo(step: Step, limit: number): unknown {
  const cut = (inner: readonly Step[]): unknown[] => inner.map((one) => cutTo(one, limit));
  if (step.op === 'concurrent') return { ...step, args: { branches: step.args.branches.map(cut) } };
  if (step.op === 'repeat' || step.op === 'repeat_processes')
    return { ...step, args: { ...step.args, steps: cut(step.args.steps) } };
  return pagesOf(step) > limit ? { ...step, args: { ...step.args, pages: limit } } : step;
}

/** What is told in pages, in steps and in what is expected of them. */
const pageKeys: readonly string[] = ['pages', 'off', 'at_off', 'align_pages', 'src_off', 'dst_off'];

/** All sizes and offsets half as large, so that spans keep their places in their buffers; nothing where there is nothing to halve. */
function halved({ steps, expect }: Case): { steps: readonly Step[]; expect: Case['expect'] }[] {
  let changes = false;
  const half = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(half);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => {
        if (typeof inner !== 'number' || !pageKeys.includes(key)) return [key, half(inner)];
        const least = key.endsWith('off') ? 0 : 1;
        const now = Math.max(least, Math.floor(inner / 2));
        changes ||= now !== inner;
        return [key, now];
      }),
    );
  };
  const parsed = caseSchema
    .pick({ steps: true, expect: true })
    .safeParse({ steps: half(steps), expect: half(expect) });
  return changes && parsed.success ? [parsed.data] : [];
}

function pagesOf(step: Step): number {
  return 'pages' in step.args && step.args.pages !== undefined ? step.args.pages : 1;
}

function mostPages(steps: readonly Step[]): number {
  return Math.max(1, ...steps.map((step) => Math.max(pagesOf(step), mostPages(innerSteps(step).flat()))));
}

function hasLabel(steps: readonly Step[], label: string): boolean {
  return steps.some((step) => step.as === label || hasLabel(innerSteps(step).flat(), label));
}
