/** Loads policies from a module that the user names: a file of his own decides where pages go, and no file here knows of it. */

import { pathToFileURL } from 'node:url';
import { UserError } from '../base/userError.js';
import type { PlacementPolicy } from '../driver/placement.js';
import type { Policies } from '../driver/policies.js';
import type { EvictionPolicy } from '../driver/vram/evictionPolicy.js';
import type { SimulationConfig } from './simulationConfig.js';

const ALLOWED =
  'an ES module whose default export is a placement policy {name, onlySystemPages, place()}, or {placement, eviction} with one or both, eviction {name, victim()}';

/** Every thread that needs them loads them itself: functions cannot be sent to a worker. @throws UserError */
export async function policiesOf({ policyFile }: SimulationConfig): Promise<Policies> {
  return policyFile === undefined ? {} : loadPolicies(policyFile);
}

/** @throws UserError for a file that is missing, does not load, or exports something else. */
export async function loadPolicies(path: string): Promise<Policies> {
  const exported = await importDefault(path);
  if (isPlacement(exported)) return { placement: exported };
  if (isPolicies(exported)) return exported;
  throw refusal(path, describe(exported));
}

async function importDefault(path: string): Promise<unknown> {
  try {
    const module: { readonly default?: unknown } = await import(pathToFileURL(path).href);
    return module.default;
  } catch (error) {
    throw refusal(path, `a file that does not load: ${error instanceof Error ? error.message : error}`);
  }
}

function refusal(path: string, found: string): UserError {
  return new UserError({ where: `--policy ${path}`, found, allowed: ALLOWED });
}

function isPlacement(value: unknown): value is PlacementPolicy {
  if (!hasName(value) || !('place' in value) || typeof value.place !== 'function') return false;
  return 'onlySystemPages' in value && typeof value.onlySystemPages === 'boolean';
}

function isEviction(value: unknown): value is EvictionPolicy {
  return hasName(value) && 'victim' in value && typeof value.victim === 'function';
}

function hasName(value: unknown): value is { readonly name: string } {
  return typeof value === 'object' && value !== null && 'name' in value && typeof value.name === 'string';
}

const checks: Readonly<Record<string, (value: unknown) => boolean>> = {
  placement: isPlacement,
  eviction: isEviction,
};

/** A misspelled part is a mistake, not a policy that is left out. */
function isPolicies(value: unknown): value is Policies {
  if (typeof value !== 'object' || value === null) return false;
  const parts = Object.entries(value);
  return parts.length > 0 && parts.every(([name, part]) => checks[name]?.(part) === true);
}

function describe(exported: unknown): string {
  if (exported === undefined) return 'no default export';
  if (typeof exported !== 'object' || exported === null)
    return `a default export that is a ${typeof exported}`;
  const parts = Object.entries(exported).map(([name, part]) => `${name}: ${typeof part}`);
  return `a default export {${parts.join(', ')}}`;
}
