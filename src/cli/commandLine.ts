/** Writes a command line so that a shell reads it back as the same words. */

const PLAIN = /^[\w@%+=:,./-]+$/;

export function commandLine(words: readonly string[]): string {
  return words.map((word) => (PLAIN.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(' ');
}
