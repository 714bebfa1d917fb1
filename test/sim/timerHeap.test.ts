/** The timer heap: sleeping tasks by time, and by arrival where times are equal. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { actorId, Task } from '../../src/sim/task.js';
import { TimerHeap } from '../../src/sim/timerHeap.js';
import { Bench } from './harness.js';

const bench = new Bench();

describe('the timer heap', () => {
  const task = (id: number): Task => new Task(id, actorId(0), `t${id}`, bench.steps(0), false);

  it('gives tasks in order of time, and of arrival where times are equal', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.integer({ min: 0, max: 5 }), fc.constant(null)), { maxLength: 60 }),
        (ops) => {
          const heap = new TimerHeap();
          const model: { time: number; id: number }[] = [];
          ops.forEach((time, id) => {
            if (time !== null) {
              heap.push(time, task(id));
              model.push({ time, id });
              model.sort((x, y) => x.time - y.time || x.id - y.id);
            } else if (model.length > 0) {
              expect(heap.pop().id).toBe(model.shift()?.id);
            }
            expect([heap.size, heap.earliest]).toEqual([
              model.length,
              model[0]?.time ?? Number.POSITIVE_INFINITY,
            ]);
          });
        },
      ),
    );
  });

  it('lets a task that is in it have another time', () => {
    const op = fc.record({ time: fc.integer({ min: 0, max: 5 }), moved: fc.integer({ min: 0, max: 20 }) });
    fc.assert(
      fc.property(
        fc.array(op, { minLength: 1, maxLength: 30 }),
        fc.array(op, { maxLength: 30 }),
        (added, moves) => {
          const heap = new TimerHeap();
          const tasks = added.map((_, id) => task(id));
          const model = added.map(({ time }, id) => ({ time, order: id, id }));
          for (const [id, { time }] of added.entries()) heap.push(time, tasks[id]);
          moves.forEach(({ time, moved }, i) => {
            const id = moved % tasks.length;
            heap.move(time, tasks[id]);
            model[id] = { time, order: added.length + i, id };
          });
          model.sort((x, y) => x.time - y.time || x.order - y.order);
          expect(model.map(() => heap.pop().id)).toEqual(model.map(({ id }) => id));
        },
      ),
    );
  });

  it('asserts against moving what is not in it', () => {
    expect(() => new TimerHeap().move(1, task(1))).toThrow(/not asleep/);
  });
});
