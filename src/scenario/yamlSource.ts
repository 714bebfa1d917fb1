/** A YAML file with the line of every key, the values that options put over it, and the errors that name both. */

import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
} from 'yaml';
import { UserError } from '../base/userError.js';
import { showValue } from './keys.js';
import { PLAIN_YAML } from './plainYaml.js';

export type KeyPath = readonly (string | number)[];

/** Something wrong at one key. */
export interface Problem {
  readonly path: KeyPath;
  /** Without it, the value that stands there. */
  readonly found?: string;
  readonly allowed: string;
  readonly hint?: string;
  /** Already made: the mistake is within a file that this key names. */
  readonly error?: UserError;
}

const NO_OFFSET = Number.POSITIVE_INFINITY;

/** Plain data below `value`; positions below `document`. Options change only `value`. */
export class YamlSource {
  /** Never shares a part with itself, so that setting one key changes one place. */
  readonly value: unknown;
  private readonly lines = new LineCounter();
  private readonly document: Document;
  /** By path: the option that set the value there, as typed. */
  private readonly options = new Map<string, string>();

  /** `what` names the kind of file. @throws UserError for text that is not one YAML document with a map. */
  constructor(
    readonly file: string,
    text: string,
    what: string,
  ) {
    this.document = parseDocument(text, { ...PLAIN_YAML, lineCounter: this.lines });
    this.refuseSyntaxErrors();
    this.refuseUnknownAliases();
    if (this.document.contents === null) throw this.refuse(0, 'an empty file', what);
    const { contents } = this.document;
    if (!isMap(contents)) throw this.refuse(contents.range?.[0] ?? 0, this.shapeOf(contents), what);
    this.value = this.plainValue();
  }

  /** From now on the value at `path` counts as set by this option. */
  markOption(path: KeyPath, option: string): void {
    this.options.set(path.join('.'), option);
  }

  /** The problem that comes first in the file; those of options come after all others. */
  firstOf(problems: readonly Problem[]): UserError {
    let first = problems[0];
    for (const problem of problems) {
      if (this.offsetOf(problem.path) < this.offsetOf(first.path)) first = problem;
    }
    return this.error(first);
  }

  error(problem: Problem): UserError {
    if (problem.error !== undefined) return problem.error;
    const { path, allowed, hint } = problem;
    const found = problem.found ?? showValue(valueAt(this.value, path));
    const mistake = { ...this.placeOf(path), found, allowed };
    return new UserError(hint === undefined ? mistake : { ...mistake, hint });
  }

  /** Where messages say that a key stands. */
  placeOf(path: KeyPath): { where: string; line?: number; key: string } {
    const key = path.join('.');
    const option = this.optionAt(path);
    if (option !== null) return { where: option, key };
    return { where: this.file, line: this.lineAt(this.offsetOf(path)), key };
  }

  private optionAt(path: KeyPath): string | null {
    for (let length = path.length; length > 0; length--) {
      const option = this.options.get(path.slice(0, length).join('.'));
      if (option !== undefined) return option;
    }
    return null;
  }

  /** Of the key itself, or of the nearest key above it that is in the file. */
  private offsetOf(path: KeyPath): number {
    if (this.optionAt(path) !== null) return NO_OFFSET;
    let node = this.resolved(this.document.contents);
    let offset = node?.range?.[0] ?? 0;
    for (const segment of path) {
      const next = this.step(node, segment);
      if (next === null) return offset;
      offset = next.offset;
      node = next.node;
    }
    return offset;
  }

  private step(node: Node | null, segment: string | number): { offset: number; node: Node | null } | null {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(segment));
      if (pair === undefined || !isNode(pair.key)) return null;
      return { offset: pair.key.range?.[0] ?? 0, node: this.resolved(pair.value) };
    }
    if (!isSeq(node)) return null;
    const item = node.items[Number(segment)];
    return isNode(item) ? { offset: item.range?.[0] ?? 0, node: this.resolved(item) } : null;
  }

  private resolved(node: unknown): Node | null {
    if (isAlias(node)) return node.resolve(this.document) ?? null;
    return isNode(node) ? node : null;
  }

  private refuseSyntaxErrors(): void {
    const first = [...this.document.errors, ...this.document.warnings].sort((a, b) => a.pos[0] - b.pos[0])[0];
    if (first === undefined) return;
    if (first.code === 'MULTIPLE_DOCS') {
      throw this.refuse(first.pos[0], 'a second document', 'one YAML document');
    }
    // The parser is recursive and reports its own overflow as a syntax error.
    const message = first.message.includes('call stack') ? 'too many levels' : first.message;
    throw this.refuse(first.pos[0], `a YAML syntax error: ${message}`, 'well-formed YAML');
  }

  private refuseUnknownAliases(): void {
    visit(this.document, {
      Alias: (_, alias) => {
        if (alias.resolve(this.document) !== undefined) return;
        throw this.refuse(
          alias.range?.[0] ?? 0,
          `*${alias.source}`,
          'an alias of an anchor that stands before it',
        );
      },
    });
  }

  private plainValue(): unknown {
    try {
      return unshared(this.document.toJS({ maxAliasCount: 100 }));
    } catch {
      throw this.refuse(
        0,
        'an alias that cannot be resolved',
        'aliases that do not contain themselves, 100 values in all',
      );
    }
  }

  private shapeOf(node: unknown): string {
    if (isSeq(node)) return 'a list';
    return isScalar(node) ? `the single value ${showValue(node.value)}` : 'something else';
  }

  private refuse(offset: number, found: string, allowed: string): UserError {
    return new UserError({ where: this.file, line: this.lineAt(offset), found, allowed });
  }

  private lineAt(offset: number): number {
    return Number.isFinite(offset) ? Math.max(1, this.lines.linePos(offset).line) : 1;
  }
}

/** Undefined where there is nothing. */
export function valueAt(value: unknown, path: KeyPath): unknown {
  let at = value;
  for (const segment of path) at = childOf(at, segment);
  return at;
}

export function isPlainMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function childOf(value: unknown, segment: string | number): unknown {
  if (Array.isArray(value)) return value[Number(segment)];
  return isPlainMap(value) && Object.hasOwn(value, segment) ? value[segment] : undefined;
}

/** A copy in which an anchored value stands once for each alias. */
function unshared(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unshared);
  if (!isPlainMap(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, unshared(entry)]));
}
