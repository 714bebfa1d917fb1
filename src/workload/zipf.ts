/** Zipf-distributed ranks in constant time and memory. */

import { assert } from '../base/assert.js';
import type { Random } from '../sim/random.js';

/** Of the YCSB benchmark's request distribution: a few pages get most accesses, and the tail is long. */
export const ZIPF_EXPONENT = 0.99;

/**
 * Ranks 0 to `count - 1`, rank `k` with a probability proportional to `(k + 1) ** -exponent`. W. Hoermann and G. Derflinger,
 * "Rejection-inversion to generate variates from monotone discrete distributions", ACM TOMACS 6(3), 1996.
 */
export class Zipf {
  private readonly integralOfFirst: number;
  private readonly integralOfLast: number;
  private readonly acceptBelow: number;

  constructor(
    readonly count: number,
    readonly exponent = ZIPF_EXPONENT,
  ) {
    assert(count >= 1 && exponent > 0, () => `zipf of ${count} ranks with exponent ${exponent}`);
    this.integralOfFirst = this.integral(1.5) - 1;
    this.integralOfLast = this.integral(count + 0.5);
    this.acceptBelow = 2 - this.inverseIntegral(this.integral(2.5) - this.height(2));
  }

  next(random: Random): number {
    for (;;) {
      const u = this.integralOfLast + random.unit() * (this.integralOfFirst - this.integralOfLast);
      const x = this.inverseIntegral(u);
      const k = Math.min(Math.max(Math.floor(x + 0.5), 1), this.count);
      if (k - x <= this.acceptBelow || u >= this.integral(k + 0.5) - this.height(k)) return k - 1;
    }
  }

  private height(x: number): number {
    return Math.exp(-this.exponent * Math.log(x));
  }

  /** An antiderivative of `height`, zero at 1. */
  private integral(x: number): number {
    const logX = Math.log(x);
    return expm1OverX((1 - this.exponent) * logX) * logX;
  }

  private inverseIntegral(y: number): number {
    const t = Math.max(y * (1 - this.exponent), -1);
    return Math.exp(log1pOverX(t) * y);
  }
}

/** Limit 1 at 0, so that an exponent of exactly 1 needs no case of its own. */
function expm1OverX(x: number): number {
  return Math.abs(x) > 1e-8 ? Math.expm1(x) / x : 1 + x / 2;
}

function log1pOverX(x: number): number {
  return Math.abs(x) > 1e-8 ? Math.log1p(x) / x : 1 - x / 2;
}
