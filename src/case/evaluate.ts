/** Holds what a case gave against what it expects. */

import { unreachable } from '../base/assert.js';
import { compareData } from './compareData.js';
import { stepOf } from './expectedSteps.js';
import type { CaseExpectation, ExpectationOf, ProtRun } from './expectSchemas.js';
import { formatWord } from './pageContent.js';
import { formatProt } from './protNames.js';
import { type CaseResults, describeRet, formatRet, type StepResult } from './stepResult.js';

/** One expectation that does not hold. */
export interface Mismatch {
  readonly expectation: CaseExpectation;
  /** Label of the step; null where the expectation is about the whole case. */
  readonly step: string | null;
  readonly expected: string;
  readonly found: string;
  /** Pages of the buffer that the step worked on which are involved; empty where no page is. */
  readonly pages: readonly number[];
}

/** What a rule finds wrong; null where it holds. Of a step that runs several times it must hold each time. */
type Finding = { expected: string; found: string; pages?: readonly number[] } | null;

/** All that do not hold, in the order of the case. */
export function evaluate(expectations: readonly CaseExpectation[], results: CaseResults): Mismatch[] {
  return expectations.flatMap((expectation) => {
    if (expectation.type === 'if_ret_zero') {
      const result = stepResult(results, expectation.step);
      if (result !== undefined) return allReturnedZero(result) ? evaluate(expectation.then, results) : [];
    }
    const finding = evaluateOne(expectation, results);
    if (finding === null) return [];
    return [{ expectation, step: stepOf(expectation), pages: [], ...finding }];
  });
}

function allReturnedZero(result: StepResult): boolean {
  return (result.rounds ?? [result]).every(({ ret }) => ret === 0);
}

function evaluateOne(expectation: CaseExpectation, results: CaseResults): Finding {
  switch (expectation.type) {
    case 'if_ret_zero':
      return withStep(results, expectation.step, () => null);
    case 'event':
      return checkEvent(expectation, results);
    case 'cpu_fault_migrations':
      return checkCpuFaults(expectation, results);
    case 'all_processes_exit':
      return everyEquals(results.exits, expectation.value, 'process exited with');
    case 'all_results':
      return everyEquals(results.readerResults, expectation.value, 'reader wrote');
    case 'counter_delta':
      return checkCounter(expectation, results);
    case 'vas':
      return withStep(results, expectation.after, (result) =>
        equalJson(expectation.vas, result.vas, 'mappings'),
      );
    default:
      return withStep(results, expectation.step, (result) => checkStep(expectation, result));
  }
}

type StepExpectation = Exclude<
  CaseExpectation,
  {
    type:
      | 'if_ret_zero'
      | 'event'
      | 'cpu_fault_migrations'
      | 'all_processes_exit'
      | 'all_results'
      | 'counter_delta'
      | 'vas';
  }
>;

function checkStep(expectation: StepExpectation, result: StepResult): Finding {
  switch (expectation.type) {
    case 'ret':
      return checkRet(expectation.value, result);
    case 'cpages':
      return equalNumber(expectation.value, result.cpages, result);
    case 'faults':
      return equalNumber(expectation.value, result.faults, result);
    case 'data':
      return compareData(expectation, result.data, result);
    case 'data_before':
      return compareData(expectation, result.dataBefore, result);
    case 'value':
      return equalNumber(expectation.value | 0, result.value, result);
    case 'one_of':
      return checkOneOf(expectation.values, result);
    case 'attr':
      return equalJson(inMode(expectation.value, result.mode), result.attr, 'attribute');
    case 'prot':
      return checkProt(expectation.pages, result);
    case 'residency':
      return checkResidency(expectation, result);
    case 'pagemap':
      return checkPagemap(expectation, result);
    case 'vm_ops':
      return equalJson(expectation.ops, result.vmOps, 'operations');
    case 'byte_cycle':
      return checkByteCycle(expectation.values, result);
    default:
      return unreachable(expectation);
  }
}

/** A value per mode, such as `{xnack_on, xnack_off}`, means that of the mode that the step ran in. */
function inMode(value: unknown, mode: string | undefined): unknown {
  if (mode === undefined || typeof value !== 'object' || value === null || !(mode in value)) return value;
  return Object.entries(value).find(([name]) => name === mode)?.[1];
}

/** A label may be any name, also one that every object has. */
function stepResult({ steps }: CaseResults, label: string): StepResult | undefined {
  return Object.hasOwn(steps, label) ? steps[label] : undefined;
}

function withStep(results: CaseResults, step: string, check: (result: StepResult) => Finding): Finding {
  const result = stepResult(results, step);
  if (result === undefined) return { expected: `step ${step} to run`, found: 'it did not' };
  const { rounds = [result] } = result;
  for (const [i, round] of rounds.entries()) {
    const finding = check(round);
    if (finding === null) continue;
    return rounds.length === 1 ? finding : { ...finding, found: `${finding.found}, in round ${i}` };
  }
  return null;
}

function checkRet(value: number | string, result: StepResult): Finding {
  const found = formatRet(result.ret);
  const holds = value === 'nonzero' ? result.ret !== 0 : value === result.ret || found === String(value);
  if (holds) return null;
  return { expected: `ret ${value}`, found: describeRet(result) };
}

function equalNumber(value: number, found: number | undefined, result: StepResult): Finding {
  if (value === found) return null;
  const what = found === undefined ? `none, ${describeRet(result)}` : formatWord(found);
  return { expected: formatWord(value), found: what };
}

function checkOneOf(values: readonly (number | string)[], result: StepResult): Finding {
  const found = result.value ?? result.ret;
  const holds = values.some((value) =>
    typeof value === 'number' && result.value !== undefined
      ? (value | 0) === found
      : value === found || String(value) === formatRet(found),
  );
  return holds ? null : { expected: `one of ${values.join(', ')}`, found: formatRet(found) };
}

/** Key order does not matter; keys that are absent are not compared. */
function equalJson(expected: unknown, found: unknown, what: string): Finding {
  if (found !== undefined && sameJson(expected, found)) return null;
  return {
    expected: `${what} ${JSON.stringify(expected)}`,
    found: found === undefined ? `no ${what}` : JSON.stringify(found),
  };
}

function sameJson(expected: unknown, found: unknown): boolean {
  if (Array.isArray(expected)) {
    if (!Array.isArray(found) || found.length !== expected.length) return false;
    return expected.every((value, i) => sameJson(value, found[i]));
  }
  if (typeof expected !== 'object' || expected === null) return expected === found;
  if (typeof found !== 'object' || found === null || Array.isArray(found)) return false;
  const foundEntries = new Map(Object.entries(found));
  const wanted = Object.entries(expected);
  return (
    (wanted.length > 0 || foundEntries.size === 0) &&
    wanted.every(([key, value]) => sameJson(value, foundEntries.get(key)))
  );
}

function checkProt(runs: readonly ProtRun[], result: StepResult): Finding {
  const { prot, firstPage = 0 } = result;
  if (prot === undefined) {
    return { expected: 'a snapshot', found: `none, ${describeRet(result)}` };
  }
  for (const { first, count, value } of runs) {
    for (let page = first; page < first + count; page++) {
      if (prot[page] === value) continue;
      const found = prot[page] === undefined ? 'nothing' : formatProt(prot[page]);
      return {
        expected: `page ${page} is ${formatProt(value)}`,
        found: `it is ${found}`,
        pages: [firstPage + page],
      };
    }
  }
  return null;
}

function checkResidency({ where }: ExpectationOf<'residency'>, result: StepResult): Finding {
  const { residency, firstPage = 0 } = result;
  if (residency === undefined) return { expected: 'where pages are', found: 'not known' };
  const least = Array.isArray(where) ? Math.max(1, where.length) : 1;
  if (residency.length < least)
    return { expected: `where ${least} or more pages are`, found: `${residency.length} pages` };
  const wanted = (page: number): string => plainPlace(Array.isArray(where) ? (where[page] ?? 'none') : where);
  const wrong = residency.findIndex((place, page) => plainPlace(place) !== wanted(page));
  if (wrong < 0) return null;
  return {
    expected: `page ${wrong} in ${wanted(wrong)}`,
    found: `it is in ${residency[wrong]}`,
    pages: [firstPage + wrong],
  };
}

function plainPlace(place: string): string {
  return place === 'cpu' ? 'sys' : place;
}

function checkPagemap(expectation: ExpectationOf<'pagemap'>, result: StepResult): Finding {
  const { pagemap, firstPage = 0 } = result;
  if (pagemap === undefined) return { expected: 'a pagemap', found: 'none' };
  if (pagemap.length === 0) return { expected: 'a pagemap', found: 'one of no pages' };
  const { present, swap, soft_dirty: softDirty } = expectation;
  const differs = (wanted: boolean | undefined, found: boolean): boolean =>
    wanted !== undefined && wanted !== found;
  const wrong = pagemap.findIndex(
    (entry) =>
      differs(present, entry.present) || differs(swap, entry.swap) || differs(softDirty, entry.softDirty),
  );
  if (wrong < 0) return null;
  return {
    expected: `page ${wrong} with ${JSON.stringify({ present, swap, softDirty })}`,
    found: JSON.stringify(pagemap[wrong]),
    pages: [firstPage + wrong],
  };
}

function checkByteCycle(values: readonly number[], { bytes }: StepResult): Finding {
  if (bytes === undefined || bytes.length === 0) return { expected: 'bytes', found: 'none' };
  const wrong = bytes.findIndex((byte, i) => byte !== values[i % values.length]);
  if (wrong < 0) return null;
  return { expected: `byte ${wrong} is ${values[wrong % values.length]}`, found: `it is ${bytes[wrong]}` };
}

function checkCounter({ frm, to, value }: ExpectationOf<'counter_delta'>, results: CaseResults): Finding {
  const before = stepResult(results, frm)?.value;
  const after = stepResult(results, to)?.value;
  if (before === undefined || after === undefined) {
    return { expected: `counters in ${frm} and ${to}`, found: 'none' };
  }
  const delta = after - before;
  return holdsOf(delta, value) ? null : { expected: `a difference ${value}`, found: String(delta) };
}

function holdsOf(found: number, wanted: number | string): boolean {
  if (typeof wanted === 'number') return found === wanted;
  const limit = Number(wanted.replace(/^[<>=]+\s*/, ''));
  if (wanted.startsWith('>=')) return found >= limit;
  if (wanted.startsWith('<=')) return found <= limit;
  return wanted.startsWith('>') ? found > limit : found < limit;
}

function everyEquals(found: readonly number[], value: number, what: string): Finding {
  const wrong = found.findIndex((one) => one !== value);
  if (found.length > 0 && wrong < 0) return null;
  const seen = found.length === 0 ? 'there is none' : `${what} ${formatWord(found[wrong])} at index ${wrong}`;
  return { expected: `every ${what} ${formatWord(value)}`, found: seen };
}

function checkEvent(expectation: ExpectationOf<'event'>, results: CaseResults): Finding {
  const process = expectation.pid ?? 'p0';
  const buffer = results.buffers.find((one) => one.name === expectation.buf && one.process === process);
  if (buffer === undefined) return { expected: `buffer ${expectation.buf}`, found: 'there is none' };
  const page = buffer.start + expectation.off;
  const holds = results.events.some(
    (event) =>
      event.kind === expectation.kind &&
      event.mm === buffer.mm &&
      event.page === page &&
      (expectation.pages === undefined || event.npages === expectation.pages) &&
      (expectation.trigger === undefined || event.trigger === expectation.trigger),
  );
  if (holds) return null;
  const seen = results.events.map(({ kind, npages, trigger }) => `${kind} of ${npages} pages by ${trigger}`);
  return {
    expected: `event ${JSON.stringify(expectation)}`,
    found: seen.length === 0 ? 'no event' : seen.join('; '),
  };
}

function checkCpuFaults(
  { buf, value }: ExpectationOf<'cpu_fault_migrations'>,
  results: CaseResults,
): Finding {
  const buffer = results.buffers.find((one) => one.name === buf);
  if (buffer === undefined) return { expected: `buffer ${buf}`, found: 'there is none' };
  const { mm, start, pages } = buffer;
  const found = results.events.filter(
    (event) =>
      event.trigger === 'cpu_fault' && event.mm === mm && event.page >= start && event.page < start + pages,
  ).length;
  return found === value ? null : { expected: `${value} migrations by CPU faults`, found: String(found) };
}
