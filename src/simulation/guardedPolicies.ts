/** A user's policies as the driver may ask them: what throws, or gives what is no answer, ends the run with one message. */

import { Location, type Place } from '../driver/attributes/location.js';
import type { PlacementPolicy } from '../driver/placement.js';
import type { Policies } from '../driver/policies.js';
import type { PrefetchPolicy } from '../driver/prefetchPolicy.js';
import type { EvictionPolicy } from '../driver/vram/evictionPolicy.js';
import type { VramResident } from '../driver/vram/vramLru.js';
import { aboutFault, answered, type CodeOrigin, refuseAnswer } from './guardedCall.js';

/** Answers are checked one by one: a policy is code, of which nothing is known but what it gives. */
export function guardedPolicies({ placement, eviction, prefetch }: Policies, from: CodeOrigin): Policies {
  return {
    ...(placement === undefined ? {} : { placement: guardedPlacement(placement, from) }),
    ...(eviction === undefined ? {} : { eviction: guardedEviction(eviction, from) }),
    ...(prefetch === undefined ? {} : { prefetch: guardedPrefetch(prefetch, from) }),
  };
}

function guardedPlacement(policy: PlacementPolicy, from: CodeOrigin): PlacementPolicy {
  const { name, onlySystemPages } = policy;
  const names = Object.entries(Location).map(([place, number]) => `${number} (${place})`);
  const allowed = `a device from 0 to ${from.deviceCount - 1}, or ${names.join(', ')}`;
  const isPlace = (place: unknown): place is Place =>
    Object.values<unknown>(Location).includes(place) || isCount(place, from.deviceCount - 1);
  return {
    name,
    onlySystemPages,
    place: (question) => {
      const about = aboutFault(question.device, question.page, question.write);
      const call = { from, what: `place() of '${name}'`, about, allowed };
      const place: unknown = answered(call, () => policy.place(question));
      return isPlace(place) ? place : refuseAnswer(call, place);
    },
  };
}

function guardedEviction(policy: EvictionPolicy, from: CodeOrigin): EvictionPolicy {
  const { name } = policy;
  return {
    name,
    victim: (candidates, npages) => {
      const about = `for ${npages} pages`;
      const call = {
        from,
        what: `victim() of '${name}'`,
        about,
        allowed: 'one of the candidates, or null',
      };
      const given = new Set<VramResident>();
      const victim: unknown = answered(call, () => policy.victim(noting(candidates, given), npages));
      if (victim === null) return null;
      for (const candidate of given) if (candidate === victim) return candidate;
      return refuseAnswer(call, victim);
    },
  };
}

function guardedPrefetch(policy: PrefetchPolicy, from: CodeOrigin): PrefetchPolicy {
  const { name } = policy;
  return {
    name,
    pagesAhead: (question) => {
      const allowed = 'a whole number of pages from 0';
      const about = aboutFault(question.device, question.page, question.write);
      const call = { from, what: `pagesAhead() of '${name}'`, about, allowed };
      const npages: unknown = answered(call, () => policy.pagesAhead(question));
      return isCount(npages, Number.MAX_SAFE_INTEGER) ? npages : refuseAnswer(call, npages);
    },
  };
}

function isCount(value: unknown, most: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most;
}

function* noting<T>(items: Iterable<T>, given: Set<T>): Generator<T, void, void> {
  for (const item of items) {
    given.add(item);
    yield item;
  }
}
