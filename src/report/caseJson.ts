/** The JSON document of `svmsim case`. */

import type { CaseReport } from '../simulation/case/caseReport.js';
import type { ExecutorName } from '../simulation/simulationConfig.js';
import { caseDetail, sumOfFailures } from './caseReport.js';
import type { Environment, JsonDocument } from './json.js';

export interface CaseDocumentContext {
  readonly executor: ExecutorName;
  readonly seed: number;
  /** Ended by the user before all cases had run. */
  readonly partial: boolean;
  readonly environment: Environment;
  readonly wallNs: number;
}

export function caseDocument(reports: readonly CaseReport[], context: CaseDocumentContext): JsonDocument {
  const { executor, seed, partial, environment, wallNs } = context;
  const count = (status: string): number => reports.filter((report) => report.status === status).length;
  return {
    svmsim: environment.svmsim,
    command: 'case',
    scenario: null,
    executor,
    seed,
    ok: count('fail') === 0,
    partial,
    environment,
    checks: [],
    counters: {
      cases: reports.length,
      fail: count('fail'),
      pass: count('pass'),
      skip: count('skip'),
      ...(reports.some(({ failures }) => failures !== undefined) && failureCounters(reports)),
      verifications: reports.reduce((sum, { verifications }) => sum + verifications, 0),
    },
    results: reports.map((report) => resultOf(report)),
    time: { wallNs, simulatedNs: 0 },
  };
}

function failureCounters(reports: readonly CaseReport[]) {
  const { allocations, runs } = sumOfFailures(reports);
  return { allocations, failureRuns: runs };
}

function resultOf(report: CaseReport) {
  const { suite, name, variant, status, problems, wallMs, failures } = report;
  const runs =
    failures === undefined ? {} : { allocations: failures.allocations, failureRuns: failures.runs };
  const marks = {
    ...(report.isInternal && { internal: true }),
    ...(report.expectsNothing && { expectsNothing: true }),
  };
  const head = { suite, name, variant, status, ...runs, wallMs, ...marks };
  if (status === 'pass') return head;
  return {
    ...head,
    detail: caseDetail(report),
    problems: problems.map(({ step, expectation, found, pages }) => ({ step, expectation, found, pages })),
  };
}
