/** Programs that are a little smaller than a given one: a step, a branch, pages or a device less. */

import type { SubjectSource } from '../../bugs/bugOverlay.js';
import { type Case, caseSchema } from '../../case/caseSchema.js';
import { stepOf } from '../../case/evaluate.js';
import type { Step } from '../../case/opSchemas.js';
import type { SimulationConfig } from '../../simulation/simulationConfig.js';
import { subjectOf } from '../subject.js';
import { innerSteps } from './programSize.js';

/** Counts of a workload, named alike in a scenario and in its configuration. */
const workloadKeys: readonly string[] = ['operations', 'rounds', 'accesses'];

/** The largest cuts first. Not every one of them needs to be a program that can run. */
export function smallerSources(source: SubjectSource): SubjectSource[] {
  return source.kind === 'case' ? smallerCases(source.program) : smallerScenarios(source);
}

function smallerCases(program: Case): SubjectSource[] {
  const { steps, expect } = program;
  const cut = [...withoutRuns(steps), ...smallerLists(steps), ...fewerPages(steps)];
  const cases = [...cut.map((fewer) => ({ steps: fewer, expect })), ...halved(program)];
  return cases.flatMap((one) => {
    const expected = one.expect.filter((expectation) => {
      const label = stepOf(expectation);
      return label === null || hasLabel(one.steps, label);
    });
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

/** Every buffer with one page or with half of its pages, and every span cut to fit. Half of them may take more steps than all: ranges have few sizes. */
function fewerPages(steps: readonly Step[]): Step[][] {
  const most = Math.max(1, ...steps.map(pagesOf));
  const limits = [...new Set([1, Math.floor(most / 2)])].filter((limit) => limit < most);
  return limits.flatMap((limit) => {
    const parsed = caseSchema.shape.steps.safeParse(steps.map((step) => cutTo(step, limit)));
    return parsed.success ? [parsed.data] : [];
  });
}

function cutTo(step: Step, limit: number): unknown {
  if (step.op === 'concurrent')
    return {
      ...step,
      args: { branches: step.args.branches.map((branch) => branch.map((one) => cutTo(one, limit))) },
    };
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

function hasLabel(steps: readonly Step[], label: string): boolean {
  return steps.some((step) => step.as === label || hasLabel(innerSteps(step).flat(), label));
}

/** A number of the configuration that can be halved, with the key that sets it. */
interface Setting {
  readonly key: string;
  readonly now: number;
  /** Stands behind the number. */
  readonly unit: string;
}

/** Each number half as large, and as small as it can be. */
function smallerScenarios(source: Extract<SubjectSource, { kind: 'scenario' }>): SubjectSource[] {
  return settingsOf(subjectOf(source).config).flatMap(({ key, now, unit }) => {
    const smaller = [...new Set([1, Math.floor(now / 2)])].filter((value) => value >= 1 && value < now);
    return smaller.map((value) => ({
      ...source,
      set: [...without(source.set, key), `${key}=${value}${unit}`],
    }));
  });
}

/** What matters most to a reader first. Work without an end stays so. */
function settingsOf({ deviceCount, device, workloads }: SimulationConfig): Setting[] {
  const ofWorkloads = workloads.flatMap((workload, i) => [
    ...Object.entries(workload)
      .filter(([name, value]) => workloadKeys.includes(name) && Number.isFinite(value))
      .map(([name, value]) => ({ key: `workloads.${i}.${name}`, now: Number(value), unit: '' })),
    ...('pages' in workload && typeof workload.pages === 'number'
      ? [{ key: `workloads.${i}.size`, now: workload.pages, unit: 'pages' }]
      : []),
  ]);
  return [
    { key: 'devices.count', now: deviceCount, unit: '' },
    ...ofWorkloads,
    { key: 'devices.contexts', now: device.contexts, unit: '' },
  ];
}

function without(set: readonly string[], key: string): string[] {
  return set.filter((assignment) => !assignment.startsWith(`${key}=`));
}
