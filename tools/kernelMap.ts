/** Makes docs/kernel-map.md from the `@kernel` tags of the sources: which kernel name is what here, in which file, and what deviates. */

import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import ts from 'typescript';

const DEVIATIONS = 'docs/deviations.md';
/** Names that the kernel has given up, with those that took their place. */
const RENAMED = 'tools/renamedKernelNames.json';

/** One kernel name at one place of the sources. */
export interface KernelTag {
  /** As the tag has it; a remark in parentheses included. */
  readonly text: string;
  /** The name alone. */
  readonly name: string;
  /** What it is called here. */
  readonly symbol: string;
  /** From the root of the repository. */
  readonly file: string;
  /** First sentence of the doc comment that has the tag, or else of another one of the symbol; empty where there is none. */
  readonly sentence: string;
}

/** All tags of the sources under a repository's root, in order of files. */
export function kernelTags(root: string): KernelTag[] {
  return sourceFiles(join(root, 'src')).flatMap((path) => tagsOfFile(root, path));
}

/** The text of the map. */
export function kernelMap(root: string): string {
  const tags = kernelTags(root);
  const deviations = readDeviations(join(root, DEVIATIONS));
  const rows = tags
    .toSorted(
      (a, b) => order(sortKey(a.name), sortKey(b.name)) || order(a.file, b.file) || order(a.symbol, b.symbol),
    )
    .map((tag) => row(tag, deviations));
  return [
    '# Kernel names',
    '',
    'Generated from the `@kernel` tags of the sources by `npm run docs`; a test fails when it is out of date. A name with a dot is a',
    'field or member of a structure. What is not listed has no counterpart here. Files are those of a checkout of the sources.',
    '',
    '| Kernel | Here | File | What it is | Deviations |',
    '|---|---|---|---|---|',
    ...rows,
    '',
    '## Names that the kernel has given up',
    '',
    'Older versions and drafts of the series call some things differently, or keep them elsewhere.',
    '',
    '| Once | Now |',
    '|---|---|',
    ...Object.entries(renamedNames(root)).map(([once, now]) => `| \`${once}\` | \`${now}\` |`),
    '',
  ].join('\n');
}

/** Old names by those that took their place. */
export function renamedNames(root: string): Readonly<Record<string, string>> {
  const parsed: unknown = JSON.parse(readFileSync(join(root, RENAMED), 'utf8'));
  if (typeof parsed !== 'object' || parsed === null) throw new Error(`${RENAMED} is no object`);
  const names = Object.entries(parsed).map(([once, now]) => [once, String(now)] as const);
  return Object.fromEntries(names.toSorted(([a], [b]) => order(sortKey(a), sortKey(b))));
}

function sourceFiles(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true }).toSorted((a, b) => order(a.name, b.name));
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sourceFiles(path);
    return entry.name.endsWith('.ts') && !entry.name.endsWith('.d.ts') ? [path] : [];
  });
}

function tagsOfFile(root: string, path: string): KernelTag[] {
  const source = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true);
  const file = relative(root, path);
  const found: KernelTag[] = [];
  // A variable's comment belongs to the statement around it, and is found at both.
  const seen = new Set<number>();
  const visit = (node: ts.Node): void => {
    for (const tag of ts.getJSDocTags(node)) {
      if (tag.tagName.text !== 'kernel' || seen.has(tag.pos)) continue;
      seen.add(tag.pos);
      const symbol = symbolOf(node);
      const sentence = firstSentence(tag.parent) || sentenceOf(node);
      for (const text of namesIn(ts.getTextOfJSDocComment(tag.comment) ?? '')) {
        found.push({ text, name: text.replace(/ ?\(.*\)$/, ''), symbol, file, sentence });
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** Separated by commas; those in parentheses are part of a remark. */
function namesIn(text: string): string[] {
  return text
    .split(/,(?![^(]*\))/)
    .map((name) => name.replaceAll(/\s+/g, ' ').trim())
    .filter((name) => name !== '');
}

/** The names of the declarations around a node, from the outermost. */
function symbolOf(node: ts.Node): string {
  const parts: string[] = [];
  if (ts.isVariableStatement(node)) {
    parts.push(node.declarationList.declarations.map(({ name }) => name.getText()).join(', '));
  }
  for (let at: ts.Node | undefined = node; at !== undefined; at = at.parent) {
    // A field that is declared by its constructor's parameter belongs to the class.
    const name = at !== node && ts.isConstructorDeclaration(at) ? null : nameOf(at);
    if (name !== null) parts.unshift(name);
  }
  return parts.join('.');
}

function nameOf(node: ts.Node): string | null {
  if (ts.isConstructorDeclaration(node)) return 'constructor';
  if (ts.isVariableStatement(node)) return null;
  if (!ts.isDeclarationStatement(node) && !isNamedMember(node)) return null;
  const { name } = node;
  return name === undefined || ts.isSourceFile(name.parent) ? null : name.getText();
}

type NamedMember =
  | ts.ClassElement
  | ts.TypeElement
  | ts.VariableDeclaration
  | ts.PropertyAssignment
  | ts.ParameterDeclaration;

function isNamedMember(node: ts.Node): node is NamedMember {
  return (
    ts.isClassElement(node) ||
    ts.isTypeElement(node) ||
    ts.isVariableDeclaration(node) ||
    ts.isPropertyAssignment(node) ||
    ts.isParameterPropertyDeclaration(node, node.parent)
  );
}

/** Of any doc comment of the symbol: one beside the tag's, or that of the class which a constructor makes. */
function sentenceOf(node: ts.Node): string {
  const own = ts.getJSDocCommentsAndTags(node).map(firstSentence);
  const around = ts.isConstructorDeclaration(node)
    ? ts.getJSDocCommentsAndTags(node.parent).map(firstSentence)
    : [];
  return [...own, ...around].find((sentence) => sentence !== '') ?? '';
}

/** Up to the first full stop that ends a sentence; the first line of several that are no sentence. */
function firstSentence(doc: ts.Node): string {
  if (!ts.isJSDoc(doc)) return '';
  const text = (ts.getTextOfJSDocComment(doc.comment) ?? '').replaceAll(/\s+/g, ' ').trim();
  const plain = text.replaceAll(/\{@link ([^}]*)\}/g, '$1');
  const end = /\.(?= [A-Z`-])|\.$/.exec(plain);
  return end === null ? plain : plain.slice(0, end.index + 1);
}

/** A row of docs/deviations.md: the names that it speaks of, and where it stands. */
interface Deviation {
  readonly names: ReadonlySet<string>;
  readonly section: string;
  readonly anchor: string;
}

function readDeviations(path: string): Deviation[] {
  const deviations: Deviation[] = [];
  let section = '';
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    const heading = /^## (.*)$/.exec(line);
    if (heading !== null) section = heading[1];
    if (!line.startsWith('| ') || line.startsWith('| Kernel |')) continue;
    const quoted = [...line.matchAll(/`([^`]+)`/g)].map((match) => match[1].replace(/\(\)$/, ''));
    deviations.push({ names: new Set(quoted), section, anchor: slug(section) });
  }
  return deviations;
}

/** As the common renderers of Markdown name a heading. */
function slug(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');
}

function row(tag: KernelTag, deviations: readonly Deviation[]): string {
  const sections = deviations.filter(({ names }) => names.has(tag.name));
  const links = new Set(sections.map(({ section, anchor }) => `[${section}](deviations.md#${anchor})`));
  const cells = [
    `\`${tag.text}\``,
    `\`${tag.symbol}\``,
    `\`${tag.file}\``,
    tag.sentence,
    [...links].join(', '),
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

/** Leading underscores do not count, nor does case. */
function sortKey(name: string): string {
  return name.replace(/^[^A-Za-z0-9]+/, '').toLowerCase();
}

/** By code units, so that the map does not depend on a locale. */
function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
