/** A bug as it was, or might have been: a file that replaces one step of the protocol with the wrong version of it. */

import type { Machine } from '../actors/machine.js';
import type { Case } from '../case/caseSchema.js';
import type { KeptFile } from '../scenario/scenarioFiles.js';
import type { VerdictKind } from './verdictKind.js';

/** A small program to explore. Plain data: it is sent to workers and kept in files. */
export type SubjectSource =
  | { readonly kind: 'case'; readonly program: Case }
  | {
      readonly kind: 'scenario';
      /** Names it in messages, and is where relative paths start. */
      readonly path: string;
      /** Of the file. */
      readonly text: string;
      /** As typed: `key.path=value`, in order. */
      readonly set: readonly string[];
      /** Copies of the files that text and `set` name; none of them is looked for on disk. */
      readonly files?: readonly KeptFile[];
    };

/** What a schedule that shows the bug ends with. */
export interface ExpectedVerdict {
  readonly kind: VerdictKind;
  /** The invariant that is violated; any of the kind where there is none. */
  readonly invariant?: string;
}

export interface BugOverlay {
  /** As in the catalogue of known bugs: `B107`. */
  readonly id: string;
  readonly title: string;
  /** What the wrong version does, and what comes of it. */
  readonly wrong: string;
  /** A commit, CVE, or list message; or that it is only predicted. */
  readonly reference: string;
  /** A small program that can show the bug. */
  readonly subject: SubjectSource;
  /** A schedule that ends with any of these shows the bug. */
  readonly expected: readonly ExpectedVerdict[];
  /** Steps of one run after which it counts as one without an end; the explorer's own unless told. */
  readonly stepsMax?: number;
  /** The failure without which the bug does not show, where there is one: with that alone every schedule ends well. */
  inject?(machine: Machine): void;
  /** Called once for each machine, before its first step; does what `inject` does, too. */
  apply(machine: Machine): void;
}
