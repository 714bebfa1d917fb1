/** Whether an actor with nothing to do looks at its doorbell for a while before it sleeps: learned from what looking was good for. */

/**
 * Waits without a look after one in which looking did not help: whoever is waited for may have no core but this one, since other programs have the
 * rest. Twice as many each time, up to the second number.
 */
const BLIND_WAITS_MIN = 4;
const BLIND_WAITS_MAX = 256;

export class LookingHabit {
  private blindWaits = 0;
  private nextBlindWaits = BLIND_WAITS_MIN;
  private wasRung = true;

  /** Asked once before each wait. Not after one in which nobody rang. */
  wantsToLook(): boolean {
    if (!this.wasRung) return false;
    if (this.blindWaits === 0) return true;
    this.blindWaits--;
    return false;
  }

  /**
   * How a wait went: whether the actor looked first, whether it saw the bell ring meanwhile, and whether the bell rang at all. One in which nobody
   * rang says nothing of what looking is good for.
   */
  note(looked: boolean, wasSeen: boolean, wasRung: boolean): void {
    this.wasRung = wasRung;
    if (!looked) return;
    if (wasSeen) this.nextBlindWaits = BLIND_WAITS_MIN;
    else if (wasRung) {
      this.blindWaits = this.nextBlindWaits;
      this.nextBlindWaits = Math.min(2 * this.nextBlindWaits, BLIND_WAITS_MAX);
    }
  }
}
