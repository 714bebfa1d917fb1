/** A user's policies as the driver may ask them: what throws, or gives what is no answer, ends the run with one message. */

import { UserError } from '../base/userError.js';
import { userPlace } from '../base/userPlace.js';
import { Location, type Place } from '../driver/attributes/location.js';
import type { PlacementPolicy, PlacementQuestion } from '../driver/placement.js';
import type { Policies } from '../driver/policies.js';
import type { PrefetchPolicy, PrefetchQuestion } from '../driver/prefetchPolicy.js';
import type { EvictionPolicy } from '../driver/vram/evictionPolicy.js';
import type { VramResident } from '../driver/vram/vramLru.js';
import type { SimulationConfig } from './simulationConfig.js';

/** Where the policies come from, and the machine that they are for. */
type PolicyOrigin = Pick<SimulationConfig, 'policyFile' | 'deviceCount'>;

/** Answers are checked one by one: a policy is code, of which nothing is known but what it gives. */
export function guardedPolicies({ placement, eviction, prefetch }: Policies, from: PolicyOrigin): Policies {
  return {
    ...(placement === undefined ? {} : { placement: guardedPlacement(placement, from) }),
    ...(eviction === undefined ? {} : { eviction: guardedEviction(eviction, from) }),
    ...(prefetch === undefined ? {} : { prefetch: guardedPrefetch(prefetch, from) }),
  };
}

function guardedPlacement(policy: PlacementPolicy, from: PolicyOrigin): PlacementPolicy {
  const { name, onlySystemPages } = policy;
  const names = Object.entries(Location).map(([place, number]) => `${number} (${place})`);
  const allowed = `a device from 0 to ${from.deviceCount - 1}, or ${names.join(', ')}`;
  const isPlace = (place: unknown): place is Place =>
    Object.values<unknown>(Location).includes(place) || isCount(place, from.deviceCount - 1);
  return {
    name,
    onlySystemPages,
    place: (question) => {
      const call = { from, what: `place() of '${name}'`, about: aboutFault(question), allowed };
      const place: unknown = answered(call, () => policy.place(question));
      return isPlace(place) ? place : refuse(call, place);
    },
  };
}

function guardedEviction(policy: EvictionPolicy, from: PolicyOrigin): EvictionPolicy {
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
      return refuse(call, victim);
    },
  };
}

function guardedPrefetch(policy: PrefetchPolicy, from: PolicyOrigin): PrefetchPolicy {
  const { name } = policy;
  return {
    name,
    pagesAhead: (question) => {
      const allowed = 'a whole number of pages from 0';
      const call = { from, what: `pagesAhead() of '${name}'`, about: aboutFault(question), allowed };
      const npages: unknown = answered(call, () => policy.pagesAhead(question));
      return isCount(npages, Number.MAX_SAFE_INTEGER) ? npages : refuse(call, npages);
    },
  };
}

interface Call {
  readonly from: PolicyOrigin;
  readonly what: string;
  readonly about: string;
  readonly allowed: string;
}

/** @throws UserError when the policy throws. */
function answered<T>(call: Call, ask: () => T): T {
  try {
    return ask();
  } catch (error) {
    const place = userPlace(error);
    const at = place === null ? '' : ` at ${place}`;
    throw mistake(call, `${call.what} that throws ${describe(error)}${at} ${call.about}`);
  }
}

/** @throws UserError */
function refuse(call: Call, answer: unknown): never {
  throw mistake(call, `${call.what} that gives ${describe(answer)} ${call.about}`);
}

function mistake({ from: { policyFile }, allowed }: Call, found: string): UserError {
  const where = policyFile === undefined ? 'policy' : `--policy ${policyFile}`;
  return new UserError({ where, found, allowed });
}

function aboutFault({ device, page, write }: PlacementQuestion | PrefetchQuestion): string {
  return `for a ${write ? 'store' : 'load'} of device ${device} at page 0x${page.toString(16)}`;
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

function describe(value: unknown): string {
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (typeof value === 'string') return `'${value}'`;
  if (typeof value === 'function') return 'a function';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}
