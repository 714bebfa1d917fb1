/** Explores one made-up scenario after the other, each from a seed of its own: a phase with disturbances, then one in which all must come to rest. */

import type { SubjectSource } from '../../bugs/bugOverlay.js';
import { Random } from '../../sim/random.js';
import { type BlockResult, type BlockTask, blockSeed, type Finding } from '../block.js';
import type { RunBlock } from '../exploration.js';
import { type OwnCode, withoutFunctions } from '../ownCode.js';
import { portfolio, type StrategyName } from '../strategies/makeStrategy.js';
import type { ExplorationTarget } from '../target.js';
import { randomScenario, type SwarmChoices } from './randomScenario.js';

/** Schedules of one scenario: there are more scenarios to be had than schedules of one that differ much. */
export const SCENARIO_SCHEDULES = 20;
/** Steps after which the disturbances stop. */
const DISTURBED_STEPS = 800;
const STRATEGY_STREAM = 12;
const SEEDS = 2 ** 32;

export interface SwarmLimits {
  readonly schedules: number;
  /** Wall; no scenario begins after it. */
  readonly seconds: number;
  /** Of the first scenario; each further one has the next number. */
  readonly seed: number;
  readonly strategy: StrategyName | null;
  readonly checks: string;
  readonly choices: SwarmChoices;
  /** As typed: `key.path=value`; the same for all scenarios. */
  readonly set: readonly string[];
  /** A known bug that every scenario gets. */
  readonly bug: string | null;
  /** Code of the user's own that takes part in every scenario. */
  readonly own: OwnCode;
  readonly keepGoing: boolean;
}

export interface SwarmScenario {
  readonly seed: number;
  /** What it is, in one line. */
  readonly summary: string;
  readonly target: ExplorationTarget;
  readonly strategy: StrategyName;
  readonly schedules: number;
  /** Of these, those that still got things done when their steps or the time ran out. */
  readonly undecided: number;
  readonly stepsTotal: number;
  readonly stepsMax: number;
  readonly finding: Finding | null;
}

export interface SwarmReport {
  /** In order of their seeds. */
  readonly scenarios: readonly SwarmScenario[];
  readonly isPartial: boolean;
}

export class Swarm {
  private readonly done: (SwarmScenario | undefined)[] = [];
  private next = 0;
  private firstFound = Number.POSITIVE_INFINITY;

  constructor(
    private readonly limits: SwarmLimits,
    private readonly runBlock: RunBlock,
    private readonly nowMs: () => number,
    private readonly onProgress: (scenarios: number) => void = () => {},
  ) {}

  /** `jobs` scenarios at a time; what is found does not depend on it. */
  async run(jobs: number, signal: AbortSignal): Promise<SwarmReport> {
    const endMs = this.nowMs() + this.limits.seconds * 1000;
    const workOn = async (): Promise<void> => {
      while (!signal.aborted && this.nowMs() < endMs && this.hasMore()) await this.runNext(signal);
    };
    await Promise.all(Array.from({ length: jobs }, workOn));
    return { scenarios: this.counted(), isPartial: signal.aborted };
  }

  private hasMore(): boolean {
    if (!this.limits.keepGoing && this.next > this.firstFound) return false;
    return this.next * SCENARIO_SCHEDULES < this.limits.schedules;
  }

  private async runNext(signal: AbortSignal): Promise<void> {
    const index = this.next++;
    const seed = (this.limits.seed + index) % SEEDS;
    const { source, summary } = randomScenario(seed, this.limits.choices);
    const task = this.task(index, seed, { ...source, set: [...this.limits.set] });
    try {
      const result = await this.runBlock(task, signal);
      this.done[index] = { seed, summary, target: task.target, ...outcomeOf(result) };
      if (result.findings.length > 0) this.firstFound = Math.min(this.firstFound, index);
      this.onProgress(this.done.filter((one) => one !== undefined).length);
    } catch (error) {
      // What was ended on the way has no result.
      if (!signal.aborted) throw error;
    }
  }

  /** All of it follows from the seed of the scenario, so that it can be had alone. */
  private task(index: number, seed: number, source: SubjectSource): BlockTask {
    const { strategy, bug, checks, schedules, own } = this.limits;
    const target = { source, bug, checks, disturbedSteps: DISTURBED_STEPS, ...withoutFunctions(own) };
    return {
      target,
      targetKey: JSON.stringify(target),
      index,
      strategy: strategy ?? portfolio[new Random(seed, STRATEGY_STREAM).below(portfolio.length)],
      seed: blockSeed(seed, 0),
      schedules: Math.min(SCENARIO_SCHEDULES, schedules - index * SCENARIO_SCHEDULES),
      endAtSharedMs: Number.POSITIVE_INFINITY,
    };
  }

  /** In order up to the first gap, or the first that found something. */
  private counted(): SwarmScenario[] {
    const counted: SwarmScenario[] = [];
    for (const scenario of this.done) {
      if (scenario === undefined) break;
      counted.push(scenario);
      if (!this.limits.keepGoing && scenario.finding !== null) break;
    }
    return counted;
  }
}

function outcomeOf(result: BlockResult): Omit<SwarmScenario, 'seed' | 'summary' | 'target'> {
  const { strategy, schedules, undecided, stepsTotal, stepsMax, findings } = result;
  return { strategy, schedules, undecided, stepsTotal, stepsMax, finding: findings[0] ?? null };
}
