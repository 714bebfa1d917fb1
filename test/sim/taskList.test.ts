/** The list of live tasks against a plain set. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PARK, type Steps } from '../../src/sim/steps.js';
import { actorId, Task } from '../../src/sim/task.js';
import { TaskList } from '../../src/sim/taskList.js';

function task(id: number): Task {
  return new Task(id, actorId(0), `task${id}`, nothing(), false);
}

function* nothing(): Steps<void> {
  yield PARK;
}

describe('the tasks that live', () => {
  it('are told oldest first, like a set', () => {
    const moves = fc.array(fc.record({ adds: fc.boolean(), at: fc.nat() }), { maxLength: 60 });
    fc.assert(
      fc.property(moves, (all) => {
        const list = new TaskList();
        const model = new Set<Task>();
        all.forEach(({ adds, at }, i) => {
          const [victim] = [...model].slice(at % Math.max(1, model.size));
          if (adds || victim === undefined) {
            const added = task(i + 1);
            list.add(added);
            model.add(added);
          } else {
            list.delete(victim);
            model.delete(victim);
          }
          expect([...list]).toEqual([...model]);
          expect(list.size).toBe(model.size);
        });
      }),
    );
  });

  it('leave nothing behind that leads from one that has ended to another', () => {
    const list = new TaskList();
    const [first, second, third] = [task(1), task(2), task(3)];
    for (const one of [first, second, third]) list.add(one);
    list.delete(second);
    expect([second.older, second.younger]).toEqual([null, null]);
  });

  it('are in one list at a time', () => {
    const list = new TaskList();
    const [first, second] = [task(1), task(2)];
    list.add(first);
    list.add(second);
    expect(() => list.add(second)).toThrow('task2 is in a list');
  });
});
