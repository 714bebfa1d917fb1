/** What is explored: a scenario or a case, as a machine that is small enough to be run again and again. */

import type { SubjectSource } from '../bugs/bugOverlay.js';
import type { Case } from '../case/caseSchema.js';
import { scenarioFromText } from '../scenario/loadScenario.js';
import { caseMachine } from '../simulation/case/caseMachine.js';
import type { Extensions } from '../simulation/extensions.js';
import type { SimulationConfig } from '../simulation/simulationConfig.js';
import { smallMachine } from './smallMachine.js';

export interface Subject {
  readonly name: string;
  readonly config: SimulationConfig;
  /** Whose expectations hold at the end; null for a scenario, whose programs know what memory must hold. */
  readonly program: Case | null;
  /** Code of the user's own; only where it is explored on the thread that has it. */
  readonly extensions?: Extensions;
}

const SEED = 1;

/** @throws UserError for a scenario with mistakes. */
export function subjectOf(source: SubjectSource): Subject {
  return source.kind === 'case' ? caseSubject(source.program) : scenarioSubject(source);
}

function caseSubject(program: Case): Subject {
  const config = smallMachine(caseMachine(program, 'virtual', SEED));
  return { name: program.name, config, program };
}

/** Whatever executor the file names: there are schedules under `virtual` only. */
function scenarioSubject(source: Extract<SubjectSource, { kind: 'scenario' }>): Subject {
  const config = scenarioFromText(source.path, source.text, { set: source.set, executor: 'virtual' });
  return { name: config.name, config: smallMachine(config), program: null };
}
