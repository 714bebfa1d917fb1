/** `--load name[=rate],...`: classes of load in place of those of the scenario. */

import { didYouMean } from '../base/didYouMean.js';
import { RATES } from '../scenario/keys.js';
import { FREE } from '../scenario/overrides.js';
import { loadClasses } from '../scenario/placedLoads.js';
import { parseRate } from '../scenario/quantities.js';
import { refusal } from './optionValues.js';

/** By class the rate as a scenario has it; a number alone is per second. @throws UserError */
export function loadsOf(typed: readonly string[]): Record<string, string> {
  const loads: Record<string, string> = {};
  for (const one of typed.flatMap((list) => list.split(','))) {
    const [name, rate = FREE] = splitAt(one.trim(), '=');
    const load = loadClasses.find((known) => known === name);
    if (load === undefined) {
      const meant = didYouMean(name, loadClasses);
      throw refusal(
        '--load',
        one,
        loadClasses.join(', '),
        meant === null ? undefined : `did you mean ${meant}?`,
      );
    }
    if (load in loads) throw refusal('--load', one, 'each load once');
    const perSecond = /^[\d.]+$/.test(rate) ? `${rate}/s` : rate;
    if (parseRate(perSecond) === null) throw refusal(`--load ${load}`, rate, RATES);
    loads[load] = perSecond;
  }
  return loads;
}

/** At the first `sign`: what follows may hold others. */
function splitAt(text: string, sign: string): string[] {
  const at = text.indexOf(sign);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + sign.length)];
}
