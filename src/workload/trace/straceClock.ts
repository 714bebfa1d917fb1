/** Turns the time stamps of a trace, absolute, of the day or relative, into microseconds on one axis. */

/** Stamps of `-ttt` are seconds since 1970; those of `-r` are since the line before, so far smaller. */
const LEAST_EPOCH_SECONDS = 1e8;
const DAY_SECONDS = 86_400;

/**
 * Whole seconds are kept apart from the first stamp's, so that microseconds stay exact in a double. Lines must be read in the order of
 * the trace: `-r` adds up, and a time of the day that falls by half a day has passed midnight.
 */
export class StraceClock {
  private baseSeconds: number | null = null;
  private days = 0;
  private lastDaySeconds = 0;
  private elapsedUs = 0;

  /** Microseconds of the line with this stamp (`1795212017.800147`, `12:34:56.789012`, `0.000149`); '' is a line without one. */
  read(stamp: string): number {
    if (stamp === '') return this.elapsedUs;
    const point = stamp.indexOf('.');
    const whole = point < 0 ? stamp : stamp.slice(0, point);
    const fractionUs = point < 0 ? 0 : microseconds(stamp.slice(point + 1));
    if (whole.includes(':')) return this.fromBase(this.ofDay(whole), fractionUs);
    const seconds = Number(whole);
    if (seconds >= LEAST_EPOCH_SECONDS) return this.fromBase(seconds, fractionUs);
    this.elapsedUs += seconds * 1e6 + fractionUs;
    return this.elapsedUs;
  }

  private fromBase(seconds: number, fractionUs: number): number {
    this.baseSeconds ??= seconds;
    this.elapsedUs = (seconds - this.baseSeconds) * 1e6 + fractionUs;
    return this.elapsedUs;
  }

  private ofDay(text: string): number {
    const [hours = 0, minutes = 0, seconds = 0] = text.split(':').map(Number);
    const daySeconds = (hours * 60 + minutes) * 60 + seconds;
    if (daySeconds < this.lastDaySeconds - DAY_SECONDS / 2) this.days++;
    this.lastDaySeconds = daySeconds;
    return this.days * DAY_SECONDS + daySeconds;
  }
}

/** Digits after the decimal point: milli-, micro- or nanoseconds. */
function microseconds(digits: string): number {
  return digits.length <= 6
    ? Number(digits) * 10 ** (6 - digits.length)
    : Number(digits) / 10 ** (digits.length - 6);
}
