/** All strategies by name, and which of them a search uses unless told. */

import type { Strategy } from '../../sim/strategy.js';
import { DepthFirst } from './depthFirst.js';
import { Pct } from './pct.js';
import { PartialOrderSampling } from './pos.js';
import { RoundRobin } from './roundRobin.js';
import { UniformRandom } from './uniformRandom.js';
import { UniformRandomWalk } from './urw.js';

const makers = {
  random: (seed: number): Strategy => new UniformRandom(seed),
  pct2: (seed: number): Strategy => new Pct(seed, 2),
  pct3: (seed: number): Strategy => new Pct(seed, 3),
  pct4: (seed: number): Strategy => new Pct(seed, 4),
  pos: (seed: number): Strategy => new PartialOrderSampling(seed),
  urw: (seed: number): Strategy => new UniformRandomWalk(seed),
  dfs: (): Strategy => new DepthFirst(2),
  dfs0: (): Strategy => new DepthFirst(0),
  dfs1: (): Strategy => new DepthFirst(1),
  dfs3: (): Strategy => new DepthFirst(3),
  dfs4: (): Strategy => new DepthFirst(4),
  'round-robin': (seed: number): Strategy => new RoundRobin(seed),
} as const;

/** What a strategy is called on the command line and in results. */
export type StrategyName = keyof typeof makers;

/** All of them. */
export const strategyNames = Object.keys(makers).filter((name): name is StrategyName => name in makers);

export function makeStrategy(name: StrategyName, seed: number): Strategy {
  return makers[name](seed);
}

/** Long enough for strategies that learn, short enough to be dealt out evenly. */
const BLOCK_SCHEDULES = 250;
/**
 * Of the 56 ways that round robin can take. They are long ones where actors take a page from one another turn by turn: twenty times as many steps
 * as those of other strategies, which would wait for them.
 */
const ROUND_ROBIN_SCHEDULES = 14;

/** Schedules of one block of a search. */
export function blockSchedules(strategy: StrategyName): number {
  if (isDepthFirst(strategy)) return Number.POSITIVE_INFINITY;
  return strategy === 'round-robin' ? ROUND_ROBIN_SCHEDULES : BLOCK_SCHEDULES;
}

/** It goes through all schedules in order, so that it cannot be dealt out. */
export function isDepthFirst(strategy: StrategyName): boolean {
  return strategy.startsWith('dfs');
}

/** Whether what it has not made yet can be estimated from what came again. */
export function drawsAtRandom(strategy: StrategyName): boolean {
  return strategy !== 'round-robin' && !isDepthFirst(strategy);
}

/** Each block of schedules has one of these, in turn: bugs differ in what finds them. */
export const portfolio: readonly StrategyName[] = [
  'random',
  'pct3',
  'pos',
  'urw',
  'pct2',
  'round-robin',
  'pct4',
];

/** Those that race for the bugs of the catalogue: all of the portfolio, and depth first, which a portfolio cannot deal out. */
export const racers: readonly StrategyName[] = [...portfolio, 'dfs'];
