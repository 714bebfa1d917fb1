/** Amounts of which some are not known: such a one is null, and so is every sum with it. */

export function sumIfKnown(amounts: readonly (number | null)[]): number | null {
  return amounts.reduce((sum, one) => (sum === null || one === null ? null : sum + one), 0);
}

/** `N/A` for what is not known. */
export function textIfKnown(amount: number | null, format: (amount: number) => string): string {
  return amount === null ? 'N/A' : format(amount);
}
