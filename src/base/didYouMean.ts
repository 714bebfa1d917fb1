/** Finds the known name that a misspelt one most likely stands for. */

/** The nearest of `known` within two edits (or the same letters in another spelling), or null. */
export function didYouMean(typed: string, known: readonly string[]): string | null {
  let nearest: string | null = null;
  let least = Math.min(3, Math.ceil(typed.length / 2) + 1);
  for (const candidate of known) {
    const distance = editDistance(plainLetters(typed), plainLetters(candidate));
    if (distance < least) {
      least = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

/** Whether a name that may be right is more likely a misspelt other one: of short names fewer letters may differ. */
export function isAlmost(typed: string, known: string): boolean {
  const most = Math.min(2, Math.floor(known.length / 3));
  return editDistance(plainLetters(typed), plainLetters(known)) <= most;
}

/** `tlbEntries`, `tlb_entries` and `tlb-entries` are one word. */
function plainLetters(word: string): string {
  return word.replace(/[-_ ]/g, '').toLowerCase();
}

/** Levenshtein distance by rows; names are short. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replace, row[j] + 1, next[j - 1] + 1));
    }
    row = next;
  }
  return row[b.length];
}
