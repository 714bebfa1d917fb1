/** The event that no page of an allocation is in use any more, and the rule for those who wait for it. */

import { assert } from '../../base/assert.js';
import { Completion } from '../../sim/completion.js';
import type { Scheduler } from '../../sim/scheduler.js';
import type { Steps } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';

/** How the message begins of a wait that could not end. */
const DETACH_ORDER = 'wait for detach: ';

/** Completed by the last reference to the data of the allocation's pages. */
export class Detached extends Completion {
  constructor(
    private readonly sched: Scheduler,
    private readonly name: string,
    /** Tasks that have such a reference, beside the folios. */
    private readonly users: readonly Task[],
  ) {
    super(sched, name, () => users);
  }

  /** The caller has no reference to the data, or it would wait for itself. @throws AssertionFailure if it has, also where the event has come. */
  override *wait(): Steps<void> {
    const { self } = this.sched;
    assert(
      !this.users.includes(self),
      () => `${DETACH_ORDER}${self.name} waits for the ${this.name}, to the data of which it has a reference`,
    );
    yield* super.wait();
  }
}
