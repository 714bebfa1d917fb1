/** Why a device faults on a page, beyond loading or storing: it decides what the driver does when the page cannot be had. */

/** What an access of a device wants of the page. */
export const FaultKind = {
  /** A load or a store, which waits for the page; an error ends the context. */
  Demand: 0,
  /** An atomic: the page must be where the device can carry it out. */
  Atomic: 1,
  /** An instruction that asks for the page in advance: an error is dropped. @kernel FAULT_ACCESS_TYPE prefetch */
  Prefetch: 2,
} as const;

export type FaultKind = (typeof FaultKind)[keyof typeof FaultKind];
