/** What checkers report while a run goes on, and when it is told. */

import { expect, it } from 'vitest';
import { StepFindings } from '../../../src/check/online/stepFindings.js';

it('findings are told each time that somebody asks, and those of a tear-down once', () => {
  const findings = new StepFindings([]);
  findings.report('I4', 'first');
  findings.report('I4', 'second');
  expect(findings.violations()).toEqual([{ name: 'I4', ok: false, detail: 'while it ran: first' }]);
  findings.report('R2', 'late');
  expect(findings.untold().map(({ name }) => name)).toEqual(['R2']);
  expect(findings.untold()).toEqual([]);
  expect(findings.violations().map(({ name }) => name)).toEqual(['I4', 'R2']);
});
