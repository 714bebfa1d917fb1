/** Where in a JSON text a value stands: found by reading the text again, and only when something is wrong with the value. */

import { isMap, isNode, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';

export type JsonPath = readonly (string | number)[];

export interface TextPlace {
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
}

/** The places of several paths of one well-formed text, of each the nearest one above it that exists. */
export function jsonPlaces(text: string, paths: readonly JsonPath[]): TextPlace[] {
  const lines = new LineCounter();
  const { contents } = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'silent' });
  return paths.map((path) => {
    const { line, col } = lines.linePos(offsetOf(contents, path));
    return { line: Math.max(1, line), column: Math.max(1, col) };
  });
}

/** Where a text ceases to be JSON; the parser's messages do not always say it. */
export function placeOfSyntaxError(text: string): TextPlace {
  return placeOf(text, syntaxErrorAt(text));
}

/** Of a character of a text, from 0. */
export function placeOf(text: string, offset: number): TextPlace {
  const before = text.slice(0, offset).split('\n');
  return { line: before.length, column: before[before.length - 1].length + 1 };
}

/** The first character with which no JSON could go on: every shorter start of the text is only cut off. */
function syntaxErrorAt(text: string): number {
  let good = 0;
  let bad = text.length;
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2);
    if (isCutOff(text.slice(0, middle))) good = middle;
    else bad = middle;
  }
  return Math.max(0, bad - 1);
}

function isCutOff(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    const message = error instanceof Error ? error.message : '';
    const position = /position (\d+)/.exec(message)?.[1];
    return /end of JSON|Unterminated/.test(message) || Number(position ?? -1) >= text.length;
  }
}

function offsetOf(root: Node | null, path: JsonPath): number {
  let node = root;
  let offset = node?.range?.[0] ?? 0;
  for (const segment of path) {
    const next = step(node, segment);
    if (next === null) return offset;
    offset = next.offset;
    node = next.node;
  }
  return offset;
}

function step(node: Node | null, segment: string | number): { offset: number; node: Node | null } | null {
  if (isMap(node)) {
    const pair = node.items.find(({ key }) => isScalar(key) && key.value === String(segment));
    if (pair === undefined || !isNode(pair.key)) return null;
    return { offset: pair.key.range?.[0] ?? 0, node: isNode(pair.value) ? pair.value : null };
  }
  if (!isSeq(node)) return null;
  const item = node.items[Number(segment)];
  return isNode(item) ? { offset: item.range?.[0] ?? 0, node: item } : null;
}
