/** The virtual executor: one seed is one run, time passes only when nothing else can, and a run says how it ended. */

import { describe, expect, it } from 'vitest';
import { LockClass } from '../../../src/sim/lockOrder.js';
import { Mutex } from '../../../src/sim/mutex.js';
import type { StepObserver } from '../../../src/sim/scheduler.js';
import { TaskFailure } from '../../../src/sim/scheduler.js';
import {
  defineStep,
  PARK,
  STEP,
  type StepId,
  type Steps,
  stepByName,
  stepCount,
  stepDefinition,
} from '../../../src/sim/steps.js';
import type { Strategy } from '../../../src/sim/strategy.js';
import type { Task } from '../../../src/sim/task.js';
import { actorId } from '../../../src/sim/task.js';
import { RandomStrategy } from '../../../src/sim/virtual/randomStrategy.js';
import { VirtualExecutor } from '../../../src/sim/virtual/virtualExecutor.js';
import { WaitQueue } from '../../../src/sim/waitQueue.js';
import { Bench, TestStep } from '../harness.js';

/** The order in which the steps of three tasks came, with the numbers that they drew. */
function traceOf(seed: number): string {
  const bench = new Bench(seed);
  const body = function* (name: string): Steps<void> {
    for (let i = 0; i < 20; i++) {
      bench.say(`${name}${i} ${bench.sched.randomU32() % 100}`);
      if (i % 5 === 4) yield* bench.sched.sleep(bench.sched.randomU32() % 50);
      else yield TestStep.b;
    }
  };
  bench.run(body('a'), body('b'), body('c'));
  return `${bench.log.join()} ${bench.sched.steps} ${bench.sched.now()}`;
}

describe('one seed', () => {
  it('is one run, step for step', () => {
    expect(traceOf(1)).toBe(traceOf(1));
  });

  it('differs from the next', () => {
    expect(new Set([1, 2, 3, 4, 5].map(traceOf)).size).toBe(5);
  });
});

describe('the random strategy', () => {
  it('offers as many executions as it was told to, each with a seed of its own', () => {
    const strategy = new RandomStrategy(10, 2);
    const draws: number[] = [];
    while (strategy.newExecution()) draws.push(strategy.nextU32());
    expect(draws).toHaveLength(2);
    expect(draws[0]).toBe(new RandomStrategy(10).nextU32());
    expect(draws[1]).toBe(new RandomStrategy(11).nextU32());
  });

  it('draws nothing where there is nothing to choose', () => {
    const strategy = new RandomStrategy(10);
    strategy.nextTask([{} as Task]);
    expect(strategy.nextU32()).toBe(new RandomStrategy(10).nextU32());
  });
});

describe('a strategy', () => {
  it('chooses each step: the last task that can run, say', () => {
    const last: Strategy = {
      name: 'last',
      newExecution: () => true,
      nextTask: (runnable) => runnable.length - 1,
      nextU32: () => 42,
    };
    const sched = new VirtualExecutor(last);
    const log: string[] = [];
    const body = function* (name: string): Steps<void> {
      for (let i = 0; i < 2; i++) {
        log.push(`${name}${i} ${sched.randomU32()}`);
        yield TestStep.b;
      }
    };
    for (const name of ['a', 'b']) sched.spawn(actorId(0), name, body(name));
    expect(sched.run()).toBe('idle');
    expect(log).toEqual(['b0 42', 'b1 42', 'a0 42', 'a1 42']);
  });

  it('may not choose what is not there', () => {
    const wrong: Strategy = { name: 'wrong', newExecution: () => true, nextTask: () => 7, nextU32: () => 0 };
    const sched = new VirtualExecutor(wrong);
    sched.spawn(actorId(0), 'a', (function* (): Steps<void> {})());
    expect(() => sched.run()).toThrow('wrong chose task 7 of 1');
  });
});

describe('simulated time', () => {
  it('stands still while any task can run, and then jumps to the next that sleeps', () => {
    const bench = new Bench();
    const busy = function* (): Steps<void> {
      yield* bench.steps(1000);
      bench.say(`busy until ${bench.sched.now()}`);
    };
    const sleeper = function* (ns: number): Steps<void> {
      yield* bench.sched.sleep(ns);
      bench.say(`${ns} at ${bench.sched.now()}`);
    };
    bench.run(sleeper(300), sleeper(100), sleeper(100), busy());
    expect(bench.log).toEqual(['busy until 0', '100 at 100', '100 at 100', '300 at 300']);
  });

  it('goes on to whoever sleeps where another polls for what he will do', () => {
    const bench = new Bench();
    let isDone = false;
    const polls = function* (): Steps<void> {
      while (!isDone) yield* bench.steps(1);
    };
    const sleeper = function* (): Steps<void> {
      for (let i = 0; i < 3; i++) yield* bench.sched.sleep(100);
      isDone = true;
    };
    bench.run(polls(), sleeper());
    expect(bench.sched.now()).toBe(300);
  });

  it('passes with each step where a step takes some, so that nobody who is always busy keeps others asleep', () => {
    const bench = new Bench();
    bench.sched.stepNs = 10;
    let hasSlept = false;
    const sleeper = function* (): Steps<void> {
      yield* bench.sched.sleep(200);
      hasSlept = true;
    };
    const busy = function* (): Steps<void> {
      while (!hasSlept) yield TestStep.a;
    };
    bench.run(sleeper(), busy());
    expect(bench.sched.now()).toBe(10 * bench.sched.steps);
    expect(bench.sched.steps).toBeGreaterThan(20);
  });

  it('passes for modelled work, unless the work is free', () => {
    const bench = new Bench();
    const body = function* (): Steps<void> {
      yield* bench.sched.spend(0);
      expect(bench.sched.now()).toBe(0);
      yield* bench.sched.spend(70);
      expect(bench.sched.now()).toBe(70);
    };
    bench.run(body());
    expect(bench.sched.modelsTime).toBe(true);
  });
});

describe('a run ends', () => {
  it('idle when all tasks have ended', () => {
    const bench = new Bench();
    bench.spawn('a', bench.steps(3));
    expect(bench.sched.run()).toBe('idle');
    expect([bench.sched.tasks.size, bench.sched.steps]).toEqual([0, 4]);
  });

  it('when it is told to, between two steps, and can go on', () => {
    const bench = new Bench();
    bench.spawn('a', bench.steps(10));
    expect(bench.sched.run(() => bench.sched.steps === 4)).toBe('stopped');
    expect(bench.sched.run(undefined, 2)).toBe('out-of-steps');
    expect(bench.sched.steps).toBe(6);
    expect(bench.sched.run()).toBe('idle');
    expect(bench.sched.steps).toBe(11);
  });

  it('idle with stuck tasks when all that are left wait for one another', () => {
    const bench = new Bench();
    const queue = new WaitQueue(bench.sched, 'Godot');
    const waiter = function* (): Steps<void> {
      yield* queue.wait();
    };
    bench.spawn('vladimir', waiter());
    bench.spawn('pump', waiter(), true);
    expect(bench.sched.run()).toBe('idle');
    const stuck = bench.sched.stuckTasks();
    expect(stuck.map((task) => `${task.name} waits for ${task.waitingFor?.describeWait(task)}`)).toEqual([
      'vladimir waits for Godot',
    ]);
  });

  it('failed without a place where none but the caller of the executor stands on the stack', () => {
    const bench = new Bench();
    const lock = new Mutex(bench.sched, 'left behind', new LockClass('lock of a test'));
    bench.spawn('a', lock.lock());
    expect(bench.sched.run()).toBe('failed');
    expect(bench.sched.failure?.message).toMatch(
      /^a \(after step [\w.]+\): ended while it holds left behind$/,
    );
  });

  it.each([
    ['a rule that is broken', new Error('no more'), false, 'TaskFailure'],
    ['what cannot be done', new RangeError('Invalid array length'), false, 'InternalFailure'],
    ['what cannot be done, in code of the user', new RangeError('Invalid array length'), true, 'TaskFailure'],
  ])('failed by the simulated system, or by the simulator itself: %s', (_, error, isOfUser, name) => {
    const bench = new Bench();
    if (!isOfUser) error.stack = String(error);
    const body = function* (): Steps<void> {
      throw error;
    };
    bench.spawn('a', body());
    expect(bench.sched.run()).toBe('failed');
    expect(bench.sched.failure?.name).toBe(name);
  });

  it('failed with the task, where it was, and why', () => {
    const bench = new Bench();
    const body = function* (): Steps<void> {
      if (bench.sched.reach(TestStep.a, 1)) yield STEP;
      throw new Error('no more');
    };
    const outcomes: (Error | null)[] = [];
    const task = bench.spawn('a', body());
    task.onDone = (error) => outcomes.push(error);
    bench.spawn('b', bench.steps(1000));
    expect(bench.sched.run()).toBe('failed');
    const { failure } = bench.sched;
    expect(failure).toBeInstanceOf(TaskFailure);
    expect(failure?.message).toMatch(/^a \(after step test\.a, at virtualExecutor\.test\.ts:\d+\): no more$/);
    expect(failure?.task).toBe(task);
    expect(failure?.cause.message).toBe('no more');
    expect(outcomes).toEqual([failure]);
    expect(bench.sched.steps).toBeLessThan(1000);
  });

  it('and tells whoever asked of each task that ended well', () => {
    const bench = new Bench();
    const outcomes: (Error | null)[] = [];
    bench.spawn('a', bench.steps(3)).onDone = (error) => outcomes.push(error);
    bench.settle();
    expect(outcomes).toEqual([null]);
  });
});

describe('a task', () => {
  it('may start others, which run when they are chosen', () => {
    const bench = new Bench();
    const child = function* (): Steps<void> {
      bench.say('child');
    };
    const parent = function* (): Steps<void> {
      bench.spawn('child', child());
      bench.say('parent');
    };
    bench.run(parent());
    expect(bench.log).toEqual(['parent', 'child']);
  });

  it('has a number, a name, and the step that it took last', () => {
    const bench = new Bench();
    const [first, second] = [bench.spawn('a', bench.steps(2)), bench.spawn('b', bench.steps(2))];
    bench.settle();
    expect([first.id, second.id, first.name]).toEqual([1, 2, 'a']);
    expect(stepDefinition(first.lastStep).name).toBe('test.a');
    expect([first.state, bench.sched.current]).toEqual(['done', null]);
  });

  it('is needed for what only a task can do', () => {
    expect(() => new Bench().sched.self).toThrow('only a task can do this');
  });
});

describe('named steps', () => {
  it('are seen by the observer in order, with task and arguments, yielded or not', () => {
    const bench = new Bench();
    const seen: string[] = [];
    const observer: StepObserver = {
      onStep: (task, step, a, b, c, d) => {
        seen.push(`${task?.name} ${stepDefinition(step).name} ${[a, b, c, d].join()}`);
      },
    };
    bench.sched.observer = observer;
    const body = function* (): Steps<void> {
      if (bench.sched.reach(TestStep.a, 1, 2)) yield STEP;
      bench.sched.at(TestStep.b);
    };
    bench.run(body());
    expect(seen).toEqual(['t0 test.a 1,2,0,0', 't0 test.b 0,0,0,0']);
  });

  it('have a number, a name and fields', () => {
    expect(stepByName('test.a')?.id).toBe(TestStep.a);
    expect(stepDefinition(TestStep.a).fields).toEqual(['id', 'count']);
    expect(stepByName('test.none')).toBe(undefined);
    const id: StepId = defineStep('test.late', 'vpn');
    expect(id).toBe(stepCount() - 1);
    expect(PARK).toBe(0);
  });

  it('are defined once, with at most four fields', () => {
    expect(() => defineStep('test.a')).toThrow('defined twice');
    expect(() => defineStep('test.wide', 'id', 'id', 'id', 'id', 'id')).toThrow('more than 4 fields');
  });
});

describe('what a task owes', () => {
  it('passes before it goes on, and of several debts of one section the largest', () => {
    const bench = new Bench();
    bench.run(
      (function* (): Steps<void> {
        bench.sched.owe(300);
        bench.sched.owe(500);
        bench.sched.owe(400);
        bench.say(String(bench.sched.now()));
        yield STEP;
        bench.say(String(bench.sched.now()));
        yield STEP;
        bench.say(String(bench.sched.now()));
      })(),
    );
    expect(bench.log).toEqual(['0', '500', '500']);
  });

  it('passes with what it spends, or when it settles, and only once', () => {
    const bench = new Bench();
    bench.run(
      (function* (): Steps<void> {
        bench.sched.owe(300);
        yield* bench.sched.spend(100);
        bench.say(String(bench.sched.now()));
        bench.sched.owe(50);
        yield* bench.sched.settle();
        yield* bench.sched.settle();
        bench.say(String(bench.sched.now()));
      })(),
    );
    expect(bench.log).toEqual(['400', '450']);
  });

  it('holds up nobody else', () => {
    const bench = new Bench();
    const debtor = function* (): Steps<void> {
      bench.sched.owe(500);
      yield STEP;
      bench.say(`debtor ${bench.sched.now()}`);
    };
    const other = function* (): Steps<void> {
      yield STEP;
      bench.say(`other ${bench.sched.now()}`);
    };
    bench.run(debtor(), other());
    expect(bench.log).toEqual(['other 0', 'debtor 500']);
  });
});
