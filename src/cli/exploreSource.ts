/** Turns what the user names for exploration, a scenario, a case file or a bug, into what is explored. */

import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { didYouMean } from '../base/didYouMean.js';
import { UserError } from '../base/userError.js';
import type { BugOverlay, SubjectSource } from '../bugs/bugOverlay.js';
import { allBugs, findBug } from '../bugs/catalogue.js';
import { findNotExpressed } from '../bugs/notExpressed.js';
import { loadOwnCode, type OwnCode } from '../explore/ownCode.js';
import { scenarioSource } from '../explore/scenarioSource.js';
import { subjectOf } from '../explore/subject.js';
import { type ExplorationTarget, requireCheckers } from '../explore/target.js';
import { fullCaseTitle } from '../report/caseReport.js';
import type { CliHost } from './cliHost.js';
import { pattern, refusal } from './optionValues.js';
import { scenarioPath } from './scenarioPath.js';
import { shippedPath } from './shippedPath.js';

export interface ExploreNames {
  readonly bug?: string;
  /** Which invariants are watched; all unless told. */
  readonly checks?: string;
  readonly filter?: string;
  readonly devices?: string;
  readonly layout?: string;
  readonly set?: readonly string[];
  /** A module with code of the user's own. */
  readonly policy?: string;
}

/** Without a file that of the bug, or the scenario that comes with svmsim for it. @throws UserError */
export async function explorationTarget(
  file: string | undefined,
  names: ExploreNames,
  host: CliHost,
): Promise<ExplorationTarget> {
  const overlay = bugNamed(names.bug);
  if (names.checks !== undefined) requireCheckers(names.checks);
  const checks = names.checks === undefined ? {} : { checks: names.checks };
  if (file === undefined && overlay !== null) {
    refuseUnused(
      names,
      ['filter', ...scenarioOptions],
      `with a file of your own; --bug ${overlay.id} alone runs the program that it came with`,
    );
    const own = await ownCode(names, overlay.subject, host);
    return { source: overlay.subject, bug: overlay.id, ...checks, ...own };
  }
  const source = await sourceOf(file ?? 'explore-race', names, host);
  const own = await ownCode(names, source, host);
  // A mistake is told before workers start, by this thread.
  subjectOf(source, own);
  return { source, bug: overlay?.id ?? null, ...checks, ...own };
}

/** A case has one program, its own. @throws UserError */
async function ownCode(
  { policy }: ExploreNames,
  { kind }: SubjectSource,
  { simulator }: CliHost,
): Promise<OwnCode> {
  if (policy === undefined) return {};
  const file = resolve(policy);
  if (kind === 'case')
    await simulator.refusePrograms(file, 'policies and drivers: a case is a program of its own');
  return loadOwnCode(file);
}

const scenarioOptions = ['devices', 'layout', 'set'] as const;

/** Options that would change nothing. @throws UserError */
function refuseUnused(names: ExploreNames, options: readonly (keyof ExploreNames)[], allowed: string): void {
  for (const option of options) {
    const value = names[option];
    if (value === undefined) continue;
    const typed = typeof value === 'string' ? value : value.join(` --${option} `);
    throw refusal(`--${option} ${typed}`, 'nothing that it concerns', allowed);
  }
}

/** Null where none is named. @throws UserError for one that is not there. */
export function bugNamed(id: string | undefined, option = '--bug'): BugOverlay | null {
  const overlay = id === undefined ? null : findBug(id);
  if (id === undefined || overlay !== null) return overlay;
  const known = findNotExpressed(id);
  if (known !== null)
    throw refusal(option, id, 'a bug that can be expressed here', `${known.id} cannot: ${known.reason}`);
  const ids = allBugs.map((bug) => bug.id);
  throw refusal(option, id, `one of ${ids.join(', ')}`, meantHint(id, ids));
}

function meantHint(typed: string, known: readonly string[]): string | undefined {
  const meant = didYouMean(typed, known);
  return meant === null ? undefined : `did you mean ${meant}?`;
}

async function sourceOf(file: string, names: ExploreNames, host: CliHost): Promise<SubjectSource> {
  if (file.endsWith('.json')) {
    refuseUnused(names, scenarioOptions, 'with a scenario; a case says itself what it needs');
    return caseSource(file, names, host);
  }
  refuseUnused(names, ['filter'], 'with a case file (.json)');
  refuseFolder(file);
  refuseExecutor(names.set ?? []);
  return scenarioSource(scenarioPath(file), names);
}

/** What a scenario itself names is passed over, since it says how it is to be run and not how it is explored. @throws UserError */
export function refuseExecutor(set: readonly string[]): void {
  const typed = set.find((assignment) => /^executor\s*=/.test(assignment));
  if (typed !== undefined && !/=\s*virtual$/.test(typed))
    throw refusal(
      `--set ${typed}`,
      'another executor',
      'virtual: only where one thread runs all are there schedules to choose',
    );
}

/** @throws UserError */
function refuseFolder(name: string): void {
  if (statSync(shippedPath(name), { throwIfNoEntry: false })?.isDirectory() === true)
    throw refusal(name, 'a directory', 'a scenario file (.yaml), or a case file (.json)');
}

async function caseSource(file: string, { filter }: ExploreNames, host: CliHost): Promise<SubjectSource> {
  const cases = await host.simulator.loadCases([shippedPath(file)]);
  const wanted = pattern('--filter', filter ?? '');
  const [program, ...others] = cases.filter((one) => wanted.test(fullCaseTitle(one)));
  if (program !== undefined && others.length === 0) return { kind: 'case', program };
  const found = program === undefined ? 'none' : `${1 + others.length} cases`;
  throw new UserError({
    where: filter === undefined ? file : `--filter ${filter}`,
    found,
    allowed: 'exactly one case: --filter with a part of its name',
  });
}
