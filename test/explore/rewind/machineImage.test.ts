/** A machine is put back from the middle of a run too, where tasks wait everywhere. */

import { expect, it } from 'vitest';
import { allBugs } from '../../../src/bugs/catalogue.js';
import { CheckerPlan } from '../../../src/check/online/checkerSet.js';
import { FirstReport } from '../../../src/explore/firstReport.js';
import { MachineImage } from '../../../src/explore/rewind/machineImage.js';
import { type Subject, subjectOf } from '../../../src/explore/subject.js';
import { RandomStrategy } from '../../../src/sim/virtual/randomStrategy.js';
import { BufferEraser } from '../../../src/simulation/bufferEraser.js';
import { allocateBuffers } from '../../../src/simulation/sharedBuffers.js';
import { VirtualMachine } from '../../../src/simulation/virtualMachine.js';
import { talkingProgram } from '../talkingProgram.js';

const SEED = 3;
/** A run of the program takes about two hundred. */
const STOPS = Array.from({ length: 20 }, (_, i) => 10 * (i + 1));

function newStrategy(): RandomStrategy {
  const strategy = new RandomStrategy(SEED);
  strategy.newExecution();
  return strategy;
}

/** Some may have no end of their own. */
const STEPS_MAX = 2000;
const PARTS = [0.3, 0.6];
const SAMPLED_BUGS = 6;
/** What the scenarios of some bugs make of the protocol, without the bug. */
const programs = allBugs
  .filter((_, i) => i % SAMPLED_BUGS === 0)
  .map(({ id, subject }) => [id, subject] as const);

/** With an image of it and the eraser of its memory. */
class Rewindable {
  readonly machine: VirtualMachine;
  private readonly image: MachineImage;
  private readonly eraser: BufferEraser;

  constructor({ config }: Subject) {
    const buffers = allocateBuffers(config);
    this.eraser = new BufferEraser(config, buffers);
    const strategy = newStrategy();
    this.machine = new VirtualMachine(config, buffers, strategy);
    const checkers = new CheckerPlan([]).attach(this.machine.parts, new FirstReport());
    this.image = new MachineImage({ machine: this.machine, checkers }, config, buffers, strategy);
  }

  /** How many steps were taken, and by whom each was. */
  run(stepsMax = Number.POSITIVE_INFINITY): string[] {
    const { executor, cpus } = this.machine;
    const lines: string[] = [];
    executor.addObserver({ onStep: (task, step) => lines.push(`${executor.steps} ${task?.name} ${step}`) });
    for (const cpu of cpus) cpu.start(() => {});
    executor.run(undefined, stepsMax);
    return lines;
  }

  putBack(): void {
    this.image.learn();
    this.eraser.eraseUsed(this.machine);
    this.image.restore(newStrategy());
  }
}

function expectNothingLeft(subject: Subject, steps: number): void {
  const stopped = new Rewindable(subject);
  stopped.run(steps);
  stopped.putBack();
  expect(stopped.run(STEPS_MAX)).toEqual(new Rewindable(subject).run(STEPS_MAX));
}

it.each(STOPS)('a run that stopped after %i steps leaves nothing to the next one', (steps) => {
  expectNothingLeft(talkingProgram(), steps);
});

it.each(programs)('nor does one that stopped on its way through the program of %s', (_, source) => {
  const subject = subjectOf(source);
  const whole = new Rewindable(subject);
  whole.run(STEPS_MAX);
  for (const part of PARTS) expectNothingLeft(subject, Math.floor(part * whole.machine.executor.steps));
});
