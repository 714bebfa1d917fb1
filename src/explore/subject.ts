/** What is explored: a scenario or a case, as a machine that is small enough to be run again and again. */

import type { BugSubject } from '../bugs/bugOverlay.js';
import type { Case } from '../case/caseSchema.js';
import { caseMachine } from '../simulation/case/caseMachine.js';
import type { SimulationConfig } from '../simulation/simulationConfig.js';
import { smallMachine } from './smallMachine.js';

export interface Subject {
  readonly name: string;
  readonly config: SimulationConfig;
  /** Whose expectations hold at the end; null for a scenario, whose programs know what memory must hold. */
  readonly program: Case | null;
}

/** @throws UserError for a scenario that only runs in threads. */
export function subjectOf(source: BugSubject): Subject {
  return source.kind === 'case' ? caseSubject(source.program) : scenarioSubject(source.config);
}

export function caseSubject(program: Case): Subject {
  const config = smallMachine(caseMachine(program, 'virtual', 1));
  return { name: program.name, config, program };
}

export function scenarioSubject(config: SimulationConfig): Subject {
  return { name: config.name, config: smallMachine({ ...config, executor: 'virtual' }), program: null };
}
