/** Finds a key that stands twice in an object of a JSON text: a parsed value does not tell. */

export interface DuplicateKey {
  readonly key: string;
  /** Of its second occurrence. */
  readonly offset: number;
}

/** A text, with the colon that makes it a key, or the beginning or end of an object; what stands in a text is none of these. */
const tokens = /"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?|[{}]/g;

/** The first in a well-formed text; null for none. */
export function duplicateKey(text: string): DuplicateKey | null {
  const around: Set<string>[] = [];
  for (const { 0: token, 1: colon, index } of text.matchAll(tokens)) {
    if (token === '{') around.push(new Set());
    else if (token === '}') around.pop();
    else if (colon !== undefined) {
      const key = keyOf(token.slice(0, -colon.length));
      const keys = around[around.length - 1];
      if (keys.has(key)) return { key, offset: index };
      keys.add(key);
    }
  }
  return null;
}

/** Without its quotes. */
function keyOf(quoted: string): string {
  return quoted.includes('\\') ? String(JSON.parse(quoted)) : quoted.slice(1, -1);
}
