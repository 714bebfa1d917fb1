/** `--list` runs nothing: options of a run would be left out without a word. */

import { refusal } from './optionValues.js';

/** `taken`: names that have an effect on a list. `defaults`: what options are when nobody typed them. @throws UserError for all others */
export function refuseBesideList(
  options: object,
  taken: readonly string[],
  defaults: Readonly<Record<string, unknown>> = {},
): void {
  for (const [name, value] of Object.entries(options)) {
    if (name === 'list' || value === undefined || taken.includes(name) || value === defaults[name]) continue;
    const flag = `--${name.replace(/[A-Z]/g, (at) => `-${at.toLowerCase()}`)}`;
    const allowed = taken.map((one) => `--${one}`).join(', ');
    throw refusal('--list', `together with ${flag}`, `--list, with ${allowed}`, 'a list runs nothing');
  }
}
