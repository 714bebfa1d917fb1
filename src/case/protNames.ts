/** The byte per page with which the test device tells what it sees, in words. */

/** The error byte has all bits set and means that alone. @kernel HMM_DMIRROR_PROT_ERROR */
const ERROR = 0xff;

/** Where the page is, in the high half; the others are bits. @kernel HMM_DMIRROR_PROT_READ */
const places = [
  [0x10, 'ZERO'],
  [0x20, 'DEV_PRIVATE_LOCAL'],
  [0x30, 'DEV_PRIVATE_REMOTE'],
  [0x40, 'DEV_COHERENT_LOCAL'],
  [0x50, 'DEV_COHERENT_REMOTE'],
] as const;

const rights = [
  [0x01, 'READ'],
  [0x02, 'WRITE'],
  [0x04, 'PMD'],
  [0x08, 'PUD'],
] as const;

const codes: ReadonlyMap<string, number> = new Map([
  ['NONE', 0],
  ...places.map(([code, name]) => [name, code] as const),
  ...rights.map(([bit, name]) => [name, bit] as const),
  ['ERROR', ERROR],
]);

/** All names, each of one code; those of a page are combined. */
export const protNames: readonly string[] = [...codes.keys()];

/** The byte that the names together stand for. */
export function protOf(names: readonly string[]): number {
  return names.reduce((value, name) => value | (codes.get(name) ?? 0), 0);
}

/** `WRITE|PMD (0x06)` */
export function formatProt(value: number): string {
  return `${namesOf(value)} (0x${value.toString(16).padStart(2, '0')})`;
}

function namesOf(value: number): string {
  if (value === ERROR) return 'ERROR';
  if (value === 0) return 'NONE';
  const names = rights.filter(([bit]) => (value & bit) !== 0).map(([, name]) => name);
  const place = places.find(([code]) => code === (value & 0xf0));
  return [...(place === undefined ? [] : [place[1]]), ...names].join('|');
}
