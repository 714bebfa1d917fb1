/** What owners look like: a colour and a pattern, which together tell as many devices apart as a machine can have. */

/** Colours that there are for devices. */
export const DEVICE_COLORS = 8;
/** With every turn of the colours each has another pattern. */
const PATTERNS = 8;
/** Of the first devices: the plain colour and three more, which are seen without colours. */
const FIRST_PATTERNS = 4;

/** Of a device: the number of its colour, and that of its pattern, 0 for none. */
export function lookOf(device: number): { readonly color: number; readonly pattern: number } {
  const color = device % DEVICE_COLORS;
  const turn = Math.floor(device / DEVICE_COLORS);
  return { color, pattern: ((color % FIRST_PATTERNS) + turn) % PATTERNS };
}
