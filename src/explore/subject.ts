/** What is explored: a scenario or a case, as a machine that is small enough to be run again and again. */

import { basename } from 'node:path';
import type { SubjectSource } from '../bugs/bugOverlay.js';
import type { Case } from '../case/caseSchema.js';
import { eachStep } from '../scenario/case/eachStep.js';
import { scenarioFromText } from '../scenario/loadScenario.js';
import { KeptFiles } from '../scenario/scenarioFiles.js';
import { caseMachine } from '../simulation/case/caseMachine.js';
import type { Extensions } from '../simulation/extensions.js';
import type { SimulationConfig } from '../simulation/simulationConfig.js';
import { withPrograms } from '../simulation/withPrograms.js';
import type { OwnCode } from './ownCode.js';
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

/** @throws UserError for a scenario with mistakes, which may lie in programs of the user's own. */
export function subjectOf(source: SubjectSource, own: OwnCode = {}): Subject {
  const subject = source.kind === 'case' ? caseSubject(source.program) : scenarioSubject(source, own);
  const { policy, policyFile, extensions } = own;
  if (policy === undefined || policyFile === undefined || extensions === undefined) return subject;
  // What its policies do wrong is told in failure files, which are passed on: not where the module lies.
  const config = { ...subject.config, policy, policyFile: basename(policyFile) };
  return { ...subject, config, extensions };
}

function caseSubject(program: Case): Subject {
  const config = smallMachine(caseMachine(program, 'virtual', SEED));
  return { name: program.name, config, program };
}

/** Whatever executor the file names: there are schedules under `virtual` only. */
function scenarioSubject(
  source: Extract<SubjectSource, { kind: 'scenario' }>,
  { policyFile, extensions }: OwnCode,
): Subject {
  const { path, text, set, files = [] } = source;
  const scenario = scenarioFromText(path, text, { set, executor: 'virtual' }, new KeptFiles(files));
  const config = withPrograms(scenario, extensions?.programs, `--policy ${policyFile}`);
  return { name: config.name, config: smallMachine(config), program: null };
}

/** Whether its programs may ask for counters, which cost every step something. */
export function readsCounters({ program, extensions }: Subject): boolean {
  if (program === null) return extensions?.programs !== undefined;
  let found = false;
  eachStep(program.steps, [], ({ op }) => {
    found ||= op === 'read_counter';
  });
  return found;
}
