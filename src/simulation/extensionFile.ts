/** Loads what a module of the user's own adds: a file of his decides where pages go, or what runs, and no file here knows of it. */

import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { basename } from 'node:path';
import { pathToFileURL } from 'node:url';
import { UserError } from '../base/userError.js';
import { atUserPlace } from '../base/userPlace.js';
import type { PlacementPolicy } from '../driver/placement.js';
import type { PrefetchPolicy } from '../driver/prefetchPolicy.js';
import type { EvictionPolicy } from '../driver/vram/evictionPolicy.js';
import type { Extensions } from './extensions.js';
import type { SimulationConfig } from './simulationConfig.js';

/** What each part has to be. */
export const PARTS =
  'placement {name, onlySystemPages, place()}, eviction {name, victim()}, prefetch {name, pagesAhead()}, invalidation (a function), drivers (a list of functions), programs {name: function}';
const ALLOWED = `an ES module whose default export is a placement policy {name, onlySystemPages, place()}, or an object with some of ${PARTS}`;

/** Every thread that needs them loads them itself: functions cannot be sent to a worker. @throws UserError */
export async function extensionsOf({ policyFile }: SimulationConfig): Promise<Extensions> {
  return policyFile === undefined ? {} : loadExtensions(policyFile);
}

/** @throws UserError for a file that is missing, does not load, or exports something else. */
export async function loadExtensions(path: string): Promise<Extensions> {
  const exported = await importDefault(path);
  if (isPlacement(exported)) return { placement: exported };
  if (isExtensions(exported)) return exported;
  throw refusal(path, describe(exported));
}

async function importDefault(path: string): Promise<unknown> {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat?.isFile() !== true) throw refusal(path, stat === undefined ? 'no such file' : 'a directory');
  try {
    const module: { readonly default?: unknown } = await import(pathToFileURL(path).href);
    return module.default;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const place = error instanceof SyntaxError ? atBrokenSyntax(path) : atUserPlace(error);
    throw refusal(path, `a file that does not load: ${message}${place}`, loadHint(message));
  }
}

/**
 * ` at my-policy.mjs:12`: an error of syntax carries no place, but Node prints it of a file that it is asked to check. Empty where another module
 * is broken.
 */
function atBrokenSyntax(path: string): string {
  const { stderr } = spawnSync(process.execPath, ['--check', path], { encoding: 'utf8' });
  const line = /^[^\n]*:(\d+)\n/.exec(stderr)?.[1];
  return line === undefined ? '' : ` at ${basename(path)}:${line}`;
}

function refusal(path: string, found: string, hint?: string): UserError {
  const mistake = { where: path, found, allowed: ALLOWED };
  return new UserError(hint === undefined ? mistake : { ...mistake, hint });
}

/** A module finds packages from its own folder on, wherever svmsim was started. */
function loadHint(message: string): string | undefined {
  if (!message.includes("Cannot find package 'svmsim'")) return undefined;
  return "in the module's folder: npm install PATH, the path of your checkout of svmsim after npm ci there, or npm link svmsim after npm link there";
}

function isPlacement(value: unknown): value is PlacementPolicy {
  if (!hasName(value) || !('place' in value) || typeof value.place !== 'function') return false;
  return 'onlySystemPages' in value && typeof value.onlySystemPages === 'boolean';
}

function isEviction(value: unknown): value is EvictionPolicy {
  return hasName(value) && 'victim' in value && typeof value.victim === 'function';
}

function isPrefetch(value: unknown): value is PrefetchPolicy {
  return hasName(value) && 'pagesAhead' in value && typeof value.pagesAhead === 'function';
}

function hasName(value: unknown): value is { readonly name: string } {
  return typeof value === 'object' && value !== null && 'name' in value && typeof value.name === 'string';
}

function isFunction(value: unknown): boolean {
  return typeof value === 'function';
}

/** What a policy with this function needs besides. */
const neededKeys: readonly (readonly [method: string, keys: readonly string[]])[] = [
  ['place', ['name', 'onlySystemPages']],
  ['victim', ['name']],
  ['pagesAhead', ['name']],
];

const checks: Readonly<Record<string, (value: unknown) => boolean>> = {
  placement: isPlacement,
  eviction: isEviction,
  prefetch: isPrefetch,
  invalidation: isFunction,
  drivers: (value) => Array.isArray(value) && value.every(isFunction),
  programs: (value) => typeof value === 'object' && value !== null && Object.values(value).every(isFunction),
};

/** The first part that is not what it should be; null where all are. */
export function wrongPart(parts: Readonly<Record<string, unknown>>): string | null {
  return Object.keys(parts).find((name) => checks[name]?.(parts[name]) !== true) ?? null;
}

/** What somebody gave for a part, in words. */
export function describePart(part: unknown): string {
  if (typeof part !== 'object' || part === null) return part === null ? 'null' : `a ${typeof part}`;
  return `${Array.isArray(part) ? 'a list' : 'an object'} ${describeParts(part)}${missingKeys(part)}`;
}

/** A misspelled part is a mistake, not a policy that is left out. */
function isExtensions(value: unknown): value is Extensions {
  if (typeof value !== 'object' || value === null) return false;
  return Object.keys(value).length > 0 && wrongPart({ ...value }) === null;
}

function describe(exported: unknown): string {
  if (exported === undefined) return 'no default export';
  if (typeof exported !== 'object' || exported === null)
    return `a default export that is a ${typeof exported}`;
  return `a default export ${describeParts(exported)}${missingKeys(exported)}`;
}

/** Of something that is meant to be one policy, or has such a part: the keys that it lacks. */
function missingKeys(exported: object): string {
  const parts = [['', exported] as const, ...Object.entries(exported)];
  const told = parts.flatMap(([name, part]) => {
    const keys = typeof part === 'object' && part !== null ? lackedBy(part) : [];
    return keys.length === 0 ? [] : [`${name === '' ? '' : `${name} `}without ${keys.join(' and ')}`];
  });
  return told.length === 0 ? '' : `, ${told.join(', ')}`;
}

function lackedBy(part: object): string[] {
  const needed = neededKeys.find(([method]) => method in part)?.[1] ?? [];
  return needed.filter((key) => !(key in part));
}

/** Of programs each one is told: that they are an object says nothing. */
function describeParts(parts: object): string {
  const told = Object.entries(parts).map(([name, part]) => {
    const isMap = name === 'programs' && typeof part === 'object' && part !== null;
    return `${name}: ${isMap ? describeParts(part) : typeof part}`;
  });
  return `{${told.join(', ')}}`;
}
