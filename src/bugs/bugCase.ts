/** Makes the small case that shows a bug: the fields that all of them share are filled in. */

import { PMD_PAGES } from '../base/units.js';
import { type Case, caseSchema } from '../case/caseSchema.js';
import { type CaseMistake, shapeMistakes, toldMistake } from '../scenario/case/caseMistake.js';
import { ruleMistakes } from '../scenario/case/caseRules.js';
import type { SubjectSource } from './bugOverlay.js';
import { OverlayMistake } from './overlayMistake.js';

/** As in a case file, without the suite. */
export interface BugCase {
  readonly name: string;
  readonly steps: readonly unknown[];
  readonly expect?: readonly unknown[];
  readonly params?: Case['params'];
}

/** @throws OverlayMistake for what is no case, as a case file is refused. */
export function bugCase(one: BugCase): SubjectSource {
  const value = { suite: 'bugs', deterministic: false, ...one };
  const parsed = caseSchema.safeParse(value);
  if (!parsed.success) throw mistakeIn(one, value, shapeMistakes(parsed.error));
  const broken = ruleMistakes(parsed.data, []);
  if (broken.length > 0) throw mistakeIn(one, value, broken);
  return { kind: 'case', program: parsed.data };
}

function mistakeIn({ name }: BugCase, value: object, [first]: readonly CaseMistake[]): OverlayMistake {
  return new OverlayMistake({ where: `bug case '${name}'`, ...toldMistake(value, first) });
}

/** `bind_mirror` of the first process for each device. */
export function mirrorOn(devices: number): unknown[] {
  return Array.from({ length: devices }, (_, i) => ({
    op: 'bind_mirror',
    args: { proc: 'p0', dev: `gpu${i}` },
  }));
}

/** A private anonymous buffer, readable and writable. */
export function buffer(buf: string, pages: number): unknown {
  return { op: 'mmap', args: { buf, pages, prot: 'rw', share: 'private', backing: 'anon' } };
}

/** Steps that make a private anonymous buffer of one huge page, which its first touch maps as a whole. */
export function hugeBuffer(buf: string): unknown[] {
  const args = {
    buf,
    pages: PMD_PAGES,
    align_pages: PMD_PAGES,
    prot: 'rw',
    share: 'private',
    backing: 'anon',
  };
  return [
    { op: 'mmap', args },
    { op: 'madvise', args: { buf, advice: 'hugepage' } },
  ];
}

/** Branches that run side by side. */
export function concurrent(...branches: readonly (readonly unknown[])[]): unknown {
  return { op: 'concurrent', args: { branches } };
}
